// Reward over trials: a line for each search, with the band of its seeds.
const CURVES = data.pareto ? { volume: "hypervolume", mean: "mean reward" } : { best: "best reward so far", mean: "mean reward" };
const cleanDots = data.studies.length === 1;

function rewardRange(kind, groups) {
  const dots = cleanDots && kind !== "volume" ? data.studies[0].dots.reward : [];
  const drawn = groups.flatMap(([group]) => group.curves[kind].flat());
  const known = drawn.concat(dots).filter(value => value !== null), paid = known.filter(value => value > 0);
  const all = paid.length && !data.pareto ? paid : known;
  if (!all.length) return null;
  const low = Math.min(quantile(all, cleanDots ? 0.02 : 0.05), ...groups.map(([group]) => group.curves[kind][1].at(-1)).filter(v => v > 0 || all === known));
  const high = Math.max(...all), room = Math.max(high - low, 0.1) * 0.07;
  return [low - room, high + room];
}
// Where a phase follows another: a line, and what is searched from there on.
function drawPhases(svg, x, y, groups, last) {
  const told = new Set();
  for (const [group, g] of groups) for (const [first, searches] of group.phases) {
    if (first >= last || told.has(`${first} ${searches}`)) continue;
    const at = x.at(first), left = at > x.from + 0.8 * (x.to - x.from);
    svg.append(make("line", { class: "phase", x1: at, x2: at, y1: y.to, y2: y.from, stroke: groups.length > 1 ? colour(g) : null }),
      make("text", { x: at + (left ? -6 : 6), y: y.to + 12 + 15 * told.size, "text-anchor": left ? "end" : "start" }, `from here the ${searches}`));
    told.add(`${first} ${searches}`);
  }
}
function drawRewards(kind) {
  const place = byId("rewards"), height = 340;
  const groups = data.groups.map((group, g) => [group, g]).filter(([group, g]) => !chosen.hidden.has(g) && group.curves.trials.length);
  const range = rewardRange(kind, groups);
  if (!range) { place.replaceChildren(make("p", {}, "There is no reward to draw.")); return; }
  const { svg, width } = picture(place, height, `${CURVES[kind]} over trials`);
  const last = Math.max(...groups.map(([group]) => group.curves.trials.at(-1)));
  const x = scale(0, last, 56, width - 16), y = scale(...range, height - 44, 12);
  axes(svg, x, y, ["trials", kind === "volume" ? "hypervolume" : "reward"]);
  drawPhases(svg, x, y, groups, last);
  if (cleanDots && kind !== "volume") {
    const { trial, reward } = data.studies[0].dots;
    const dots = trial.map((n, i) => y.holds(reward[i]) ? `M${one(x.at(n + 1))} ${one(y.at(reward[i]))}h0` : "");
    svg.append(make("path", { class: "dots missed-dots", d: dots.join("") }));
  }
  for (const [group, g] of groups) {
    const { trials } = group.curves, [low, middle, high] = group.curves[kind];
    const steps = kind !== "mean";
    const at = values => values.flatMap((value, i) => {
      const here = [x.at(trials[i]), y.clip(value)];
      return steps && i ? [[here[0], y.clip(values[i - 1])], here] : [here];
    });
    if (Math.max(...group.curves.seeds) > 1)
      svg.append(make("path", { class: "band", fill: colour(g), d: `${path(at(high).concat(at(low).reverse()))}Z` }));
    svg.append(make("path", { class: "curve", stroke: colour(g), "stroke-dasharray": dash(g), d: path(at(middle)) }));
  }
  place.onpointermove = event => {
    const box = svg.getBoundingClientRect();
    const trial = (event.clientX - box.left) * width / box.width;
    const lines = groups.map(([group]) => {
      const { trials, seeds } = group.curves, [low, middle, high] = group.curves[kind];
      let i = trials.findIndex(n => x.at(n) >= trial);
      if (i < 0) i = trials.length - 1;
      const band = seeds[i] > 1 ? `, quartiles ${number(low[i], 4)} to ${number(high[i], 4)} of ${seeds[i]} seeds` : "";
      return `${data.groups.length > 1 ? `${group.label}: ` : ""}${trials[i]} trials, ${CURVES[kind]} ${number(middle[i], 4)}${band}`;
    });
    tell(lines.join("\n"), event.clientX, event.clientY);
  };
  place.onpointerleave = hush;
  const seeds = data.groups.some(group => Math.max(...group.curves.seeds, 0) > 1);
  byId("rewards-key").textContent = ({ mean: `The mean of the last ${groups[0]?.[0].curves.window ?? ""} trials. `, best: "The greatest reward so far. ",
    volume: "What the front dominates of the box between the baseline and half its accuracy at twice its latency, energy and area, after every batch. " })[kind]
    + (seeds ? "Line: the median over seeds; band: their quartiles. " : "")
    + (data.pareto && kind === "mean" ? "A design earns by how much it enlarges the hypervolume, and less than 0 where it does not. " : "")
    + (cleanDots && kind !== "volume" ? "Grey: rewards of single trials, the lowest 2 % left out. " : "")
    + (data.groups.length > 1 && !data.pareto ? "Rewards of searches with unlike targets or reward functions cannot be compared." : "");
}
