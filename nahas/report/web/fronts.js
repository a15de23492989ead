// Accuracy against latency, energy and area.
function frontPlot(place, metric) {
  const margin = { left: 52, right: 26, top: 12, bottom: 44 };
  const values = designs[metric], accuracy = designs.accuracy;
  const limits = [...new Set(data.groups.map(group => group.targets[metric]).filter(limit => limit !== undefined))];
  const bases = data.studies.map(study => study.baseline);
  let points = [], x = null, y = null;

  function ranges(width, height) {
    const runs = [...Array(count).keys()].filter(row => designs.state[row] !== "x" && accuracy[row] !== null);
    const near = [...limits, ...bases.map(base => base[metric])].filter(value => value !== null);
    const costs = runs.map(row => values[row]), good = runs.map(row => accuracy[row]);
    const spread = (list, more) => more.filter(value => value !== null && isFinite(value)).concat(list);
    const left = Math.min(...spread([quantile(costs, 0)].filter(v => v !== null), near));
    const right = Math.max(...spread([quantile(costs, 0.98)].filter(v => v !== null), near));
    const low = Math.min(...spread([quantile(good, 0.02)].filter(v => v !== null), bases.map(base => base.accuracy)));
    const high = Math.max(...spread([quantile(good, 1)].filter(v => v !== null), bases.map(base => base.accuracy)));
    if (![left, right, low, high].every(isFinite)) return false;
    const room = Math.max(high - low, 0.1) * 0.08, logarithmic = left > 0 && right > 6 * left;
    x = scale(logarithmic ? left * 0.9 : left - 0.05 * (right - left), right * (logarithmic ? 1.1 : 1.04),
      margin.left, width - margin.right, logarithmic);
    y = scale(low - room, high + room, height - margin.bottom, margin.top);
    return true;
  }

  function draw() {
    const height = 340;
    const { svg, width } = picture(place, height, `accuracy against ${WORDS[metric]}`, { tabindex: 0, class: "open" });
    if (!ranges(width, height)) { place.replaceChildren(make("p", {}, "No design that was tried can run.")); return; }
    axes(svg, x, y, [WORDS[metric], "accuracy, %"]);
    const missed = [], cannot = [], met = data.groups.map(() => []), faint = data.groups.map(() => []);
    points = [];
    for (let row = 0; row < count; row++) {
      if (!shows(row) || accuracy[row] === null || !y.holds(accuracy[row])) continue;
      const down = one(y.at(accuracy[row]));
      if (designs.state[row] === "x") { cannot.push(`M${x.to + 8} ${down - 3}l6 6m0 -6l-6 6`); points.push([row, x.to + 11, down]); continue; }
      if (!x.holds(values[row])) continue;
      const across = one(x.at(values[row]));
      points.push([row, across, down]);
      const dot = `M${across} ${down}h0`;
      if (!good(row)) missed.push(dot);
      else (chosen.kept && !chosen.kept[row] ? faint : met)[groupOf(row)].push(dot);
    }
    svg.append(make("path", { class: `dots missed-dots${chosen.kept ? " faint" : ""}`, d: missed.join("") }),
      make("path", { class: "infeasible", d: cannot.join("") }));
    if (cannot.length) svg.append(make("text", { x: x.to + 11, y: y.from + 16, "text-anchor": "middle" }, "∞"));
    data.groups.forEach((group, g) => {
      svg.append(make("path", { class: "dots met-dots faint", d: faint[g].join(""), stroke: colour(g) }),
        make("path", { class: "dots met-dots", d: met[g].join(""), stroke: colour(g) }));
    });
    data.groups.forEach((group, g) => {
      const line = group.fronts[metric].filter(row => x.holds(values[row]));
      if (chosen.hidden.has(g) || !line.length) return;
      const steps = line.map((row, i) => `${i ? "H" : `M${one(x.at(values[row]))} ${one(y.clip(accuracy[row]))}H`}${one(x.at(values[row]))}V${one(y.clip(accuracy[row]))}`);
      svg.append(make("path", { class: "front", d: steps.join(""), stroke: several && data.groups.length > 1 ? colour(g) : "var(--ink)", "stroke-dasharray": dash(g) }));
    });
    limits.forEach(limit => {
      const at = x.at(limit);
      svg.append(make("line", { class: "target", x1: at, x2: at, y1: y.to, y2: y.from }),
        make("text", { class: "target-text", x: at + (at - x.from > 90 ? -5 : 5), y: y.from - 7, "text-anchor": at - x.from > 90 ? "end" : "start" }, `target ${number(limit)}`));
    });
    marks(svg);
  }

  function marks(svg) {
    const told = new Set();
    for (const base of bases) {
      const key = `${base[metric]} ${base.accuracy}`;
      if (told.has(key) || !x.holds(base[metric]) || !y.holds(base.accuracy)) continue;
      told.add(key);
      const across = x.at(base[metric]), down = y.at(base.accuracy);
      svg.append(make("path", { class: "baseline", d: `M${across} ${down - 7}l7 7l-7 7l-7 -7z` }, make("title", {}, `baseline design: ${base.network} on ${base.accelerator}`)));
    }
    const best = data.best.find(row => shows(row));
    if (best !== undefined && !data.pareto && designs.state[best] === "m" && x.holds(values[best])) svg.append(star(x.at(values[best]), y.clip(accuracy[best])));
    const row = chosen.design;
    if (row !== null && shows(row) && x.holds(values[row]) && y.holds(accuracy[row]))
      svg.append(make("circle", { class: "ring", cx: x.at(values[row]), cy: y.at(accuracy[row]), r: 9 }));
  }

  function near(event) {
    const svg = place.firstChild, box = svg.getBoundingClientRect(), zoom = svg.viewBox.baseVal.width / box.width;
    const across = (event.clientX - box.left) * zoom, down = (event.clientY - box.top) * zoom;
    let found = null, least = 15 ** 2;
    for (const [row, px, py] of points) {
      const distance = (px - across) ** 2 + (py - down) ** 2;
      if (distance < least) { least = distance; found = row; }
    }
    return found;
  }
  place.addEventListener("pointermove", event => { const row = near(event); tell(row === null ? "" : says(row), event.clientX, event.clientY); });
  place.addEventListener("pointerleave", hush);
  place.addEventListener("click", event => { const row = near(event); if (row !== null) choose(row); });
  place.addEventListener("focusout", hush);
  place.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    const line = data.groups.filter((_, g) => !chosen.hidden.has(g)).flatMap(group => group.fronts[metric]);
    if (!step || !line.length) return;
    event.preventDefault();
    const at = line.indexOf(chosen.design);
    choose(line[at < 0 ? (step > 0 ? 0 : line.length - 1) : Math.min(Math.max(at + step, 0), line.length - 1)]);
    place.firstChild.focus();
    const box = place.getBoundingClientRect();
    tell(says(chosen.design), box.left + box.width / 3, box.top + 20);
  });
  return draw;
}

function frontKey() {
  const mark = (kind, text) => [make("svg", { viewBox: "0 0 20 12", style: "display:inline-block;width:20px;height:12px;vertical-align:-1px;margin:0 4px 0 12px", "aria-hidden": true }, kind), text];
  byId("fronts-key").append(
    ...(data.groups.length > 1 ? [] : mark(make("path", { class: "dots met-dots", d: "M10 6h0", stroke: colour(0) }), data.pareto ? "on the front of accuracy, latency, energy and area" : "meets every target")),
    ...mark(make("path", { class: "dots missed-dots", d: "M10 6h0" }), data.pareto ? "dominated" : "misses one"),
    ...(designs.state.includes("x") ? mark(make("path", { class: "infeasible", d: "M7 3l6 6m0 -6l-6 6" }), "cannot run (at the right edge)") : []),
    ...mark(make("path", { class: "front", d: "M1 9h8v-6h10", stroke: "var(--ink)" }), data.pareto ? "front of this plot" : "front of what meets every target"),
    ...mark(make("path", { class: "baseline", d: "M10 1l5 5l-5 5l-5 -5z" }), "baseline design"),
    ...(data.pareto ? [] : mark(make("polygon", { class: "star", points: star(10, 6).getAttribute("points"), transform: "translate(3.5 2) scale(.65)" }), "best design")),
    `. The axes leave out the slowest and the least accurate 2 %.${data.step > 1 ? ` One design in ${data.step} is shown, and fronts${data.pareto ? "" : " and best designs"} whole.` : ""}`);
}
