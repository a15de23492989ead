// Parallel coordinates: a line is a design; parts of axes keep some designs.
const MOST_LINES = 1200;
const brushes = new Map();

function coordinates(withNetwork) {
  const made = [];
  data.decisions.forEach((decision, d) => {
    if (decision.part === "network" && !withNetwork) return;
    const size = decision.values.length;
    const numeric = decision.values.every(value => typeof value === "number");
    const order = numeric ? [...decision.values.keys()].sort((a, b) => decision.values[a] - decision.values[b]) : [...decision.values.keys()];
    const rank = []; order.forEach((value, place) => { rank[value] = place; });
    made.push({ name: decision.name, low: -0.5, high: size - 0.5, ticks: order.map((value, place) => [place, String(decision.values[value])]),
      step: 1, of: row => { const value = choiceOf(row, d); return value < 0 ? null : rank[value]; } });
  });
  for (const key of ["latency_ms", "energy_mj", "area_mm2", "accuracy", "reward"]) {
    const values = designs[key].filter((value, row) => value !== null && designs.state[row] !== "x");
    if (!values.length) continue;
    const low = quantile(values, 0.01), high = quantile(values, 0.99);
    const logarithmic = low > 0 && high > 6 * low;
    made.push({ name: WORDS[key], low, high, logarithmic, step: null, of: row => designs.state[row] === "x" ? null : designs[key][row] });
  }
  return made;
}

function keepBrushed(all) {
  const active = all.filter(axis => brushes.has(axis.name));
  chosen.kept = active.length ? new Uint8Array(count) : null;
  if (!chosen.kept) return;
  for (let row = 0; row < count; row++) {
    chosen.kept[row] = active.every(axis => {
      const [from, to] = brushes.get(axis.name), value = axis.of(row);
      return value !== null && value >= from && value <= to;
    }) ? 1 : 0;
  }
}

function drawParallel(withNetwork) {
  const place = byId("parallel"), height = 380;
  const all = coordinates(withNetwork);
  for (const name of [...brushes.keys()]) if (!all.some(axis => axis.name === name)) brushes.delete(name);
  const { svg, width } = picture(place, height, "decisions of designs and what they lead to", { role: "group" }, 80 + 62 * (all.length - 1));
  const across = i => 40 + i * (width - 80) / Math.max(1, all.length - 1);
  all.forEach(axis => { axis.scale = scale(axis.low, axis.high, height - 22, 54, axis.logarithmic); });
  const lines = [["rest"], ["kept", "var(--grey)"], ...data.groups.map((_, g) => ["kept", colour(g)])]
    .map(([kind, stroke]) => make("path", { class: `lines ${kind}`, stroke }));
  const mark = make("path", { class: "lines chosen" });
  const bars = all.map((axis, i) => axisOf(svg, axis, across(i), i, all, refresh));
  svg.prepend(...lines, mark);

  // Within a decision's value lines spread a little, the same for the same design, to show how many there are.
  const jitter = row => ((row * 0.61803398875) % 1 - 0.5) * 0.45;
  const line = row => {
    let drawn = "", pen = "M";
    all.forEach((axis, i) => {
      const value = axis.of(row);
      if (value === null) { pen = "M"; return; }
      drawn += `${pen}${one(across(i))} ${one(axis.scale.clip(axis.step ? value + jitter(row) : value))}`;
      pen = "L";
    });
    return drawn;
  };
  function refresh() {
    keepBrushed(all);
    bars.forEach(bar => bar());
    const rows = [...Array(count).keys()].filter(row => shows(row) && designs.state[row] !== "x");
    const kept = rows.filter(row => !chosen.kept || chosen.kept[row]), rest = chosen.kept ? rows.filter(row => !chosen.kept[row]) : [];
    const some = (list, most) => { const step = Math.ceil(list.length / most) || 1; return list.filter((_, i) => i % step === 0); };
    lines[0].setAttribute("d", some(rest, MOST_LINES / 3).map(line).join(""));
    const drawn = some(kept, MOST_LINES);
    lines[1].setAttribute("d", drawn.filter(row => !good(row)).map(line).join(""));
    data.groups.forEach((_, g) => {
      lines[g + 2].setAttribute("d", drawn.filter(row => good(row) && groupOf(row) === g).map(line).join(""));
    });
    const met = drawn.filter(good).length;
    const opacity = of => Math.min(0.9, Math.max(0.14, 90 / Math.max(1, of)));
    lines.slice(1).forEach((path, i) => { path.style.strokeOpacity = opacity(i ? met : drawn.length - met); });
    mark.setAttribute("d", chosen.design === null || designs.state[chosen.design] === "x" ? "" : line(chosen.design));
    byId("parallel-key").textContent = `${kept.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} designs that can run are kept`
      + `${drawn.length < kept.length ? `, ${drawn.length.toLocaleString("en")} of them drawn` : ""}; the plots above and the table below show the same ones. Grey lines ${data.pareto ? "are dominated" : "miss a target"}. `
      + "Lines spread within a decision's value; the last axes leave out the outermost 1 % at either end.";
    byId("free").disabled = !brushes.size;
  }
  refresh();
  return refresh;
}

function axisOf(svg, axis, across, i, all, refresh) {
  const y = axis.scale, span = axis.high - axis.low, top = y.to, bottom = y.from;
  const words = named(axis.name);
  const hit = make("rect", { class: "axis-hit", x: across - 16, y: top, width: 32, height: bottom - top });
  const bar = make("rect", { class: "brush", x: across - 7, width: 14, "pointer-events": "none" });
  const group = make("g", { tabindex: 0, role: "group", "data-axis": axis.name });
  group.append(make("line", { class: "axis", x1: across, x2: across, y1: top, y2: bottom }),
    make("text", { class: "strong", x: across, y: i % 2 ? 36 : 18, "text-anchor": "middle" }, words));
  if (i % 2 === 0) group.append(make("line", { class: "grid", x1: across, x2: across, y1: 24, y2: top }));
  const shown = axis.ticks ?? ticks({ low: axis.low, high: axis.high, from: bottom, to: top, logarithmic: axis.logarithmic }).map(value => [value, number(value, 4)]);
  for (const [value, text] of shown)
    group.append(make("text", { x: across - 6, y: y.at(value) + 4, "text-anchor": "end", "paint-order": "stroke", stroke: "var(--card)", "stroke-width": 3 }, text));
  group.append(bar, hit);
  svg.append(group);
  const value = down => {
    const part = (bottom - down) / (bottom - top);
    return axis.logarithmic ? axis.low * (axis.high / axis.low) ** part : axis.low + part * span;
  };
  // The ends of an axis stand for what lies beyond them, too.
  const brush = (a, b) => {
    if (b - a >= span * 0.999) brushes.delete(axis.name);
    else brushes.set(axis.name, [a <= axis.low ? -Infinity : a, b >= axis.high ? Infinity : b]);
    refresh();
    changed("brush");
  };
  const free = () => { if (brushes.delete(axis.name)) { refresh(); changed("brush"); } };
  const down = event => { const box = svg.getBoundingClientRect(); return (event.clientY - box.top) * svg.viewBox.baseVal.height / box.height; };
  let from = null;
  hit.addEventListener("pointerdown", event => { from = down(event); hit.setPointerCapture(event.pointerId); });
  hit.addEventListener("pointermove", event => {
    if (from === null) return;
    const to = down(event);
    if (Math.abs(to - from) > 3) brush(Math.max(axis.low, value(Math.max(from, to))), Math.min(axis.high, value(Math.min(from, to))));
  });
  hit.addEventListener("pointerup", event => { if (from !== null && Math.abs(down(event) - from) <= 3) free(); from = null; });
  group.addEventListener("keydown", event => {
    if (event.key === "Escape") { free(); return; }
    const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const step = axis.step ?? span / 20;
    let [a, b] = brushes.get(axis.name) ?? [axis.low, axis.low + 2 * step];
    a = Math.max(a, axis.low); b = Math.min(b, axis.high);
    if (brushes.has(axis.name)) {
      if (event.shiftKey) b = Math.min(axis.high, Math.max(a + step, b + way * step));
      else { const by = Math.max(axis.low - a, Math.min(axis.high - b, way * step)); a += by; b += by; }
    }
    brush(a, b);
  });
  return () => {
    const range = brushes.get(axis.name);
    bar.setAttribute("visibility", range ? "visible" : "hidden");
    const [a, b] = (range ?? [axis.low, axis.high]).map(v => Math.min(Math.max(v, axis.low), axis.high));
    bar.setAttribute("y", y.at(b));
    bar.setAttribute("height", Math.max(1, y.at(a) - y.at(b)));
    group.setAttribute("aria-label", `${words}: ${range ? `kept from ${number(a)} to ${number(b)}` : "all kept"}`);
  };
}
