// Reward over trials: a line for each search, with the band of its seeds.
const CURVES = { best: "best so far", mean: "mean" };
const cleanDots = data.studies.length === 1;

function rewardRange(kind, groups) {
  const dots = cleanDots ? data.studies[0].dots.reward : [];
  const drawn = groups.flatMap(([group]) => group.curves[kind].flat());
  const all = drawn.concat(dots).filter(value => value !== null && value > 0);
  if (!all.length) return null;
  const low = Math.min(quantile(all, cleanDots ? 0.02 : 0.05), ...groups.map(([group]) => group.curves[kind][1].at(-1)).filter(v => v > 0));
  const high = Math.max(...all), room = Math.max(high - low, 0.1) * 0.07;
  return [low - room, high + room];
}
function drawRewards(kind) {
  const place = byId("rewards"), height = 340;
  const groups = data.groups.map((group, g) => [group, g]).filter(([group, g]) => !chosen.hidden.has(g) && group.curves.trials.length);
  const range = rewardRange(kind, groups);
  if (!range) { place.replaceChildren(make("p", {}, "There is no reward to draw.")); return; }
  const { svg, width } = picture(place, height, `${CURVES[kind]} reward over trials`);
  const last = Math.max(...groups.map(([group]) => group.curves.trials.at(-1)));
  const x = scale(0, last, 56, width - 16), y = scale(...range, height - 44, 12);
  axes(svg, x, y, ["trials", "reward"]);
  if (cleanDots) {
    const { trial, reward } = data.studies[0].dots;
    const dots = trial.map((n, i) => y.holds(reward[i]) ? `M${one(x.at(n + 1))} ${one(y.at(reward[i]))}h0` : "");
    svg.append(make("path", { class: "dots missed-dots", d: dots.join("") }));
  }
  for (const [group, g] of groups) {
    const { trials } = group.curves, [low, middle, high] = group.curves[kind];
    const steps = kind === "best";
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
  byId("rewards-key").textContent = (kind === "mean" ? `The mean of the last ${groups[0]?.[0].curves.window ?? ""} trials. ` : "The greatest reward so far. ")
    + (seeds ? "Line: the median over seeds; band: their quartiles. " : "")
    + (cleanDots ? "Grey: rewards of single trials, the lowest 2 % left out. " : "")
    + (data.groups.length > 1 ? "Rewards of searches with unlike targets or reward functions cannot be compared." : "");
}
