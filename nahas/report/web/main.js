// Puts the page together.
data.studies.forEach(study => {
  const label = data.groups[study.group].label;
  study.label = `${data.groups.length > 1 ? `${label}, ` : ""}seed ${study.seed}`;
});

function summary() {
  byId("label").textContent = `Accuracy is ${data.accuracy_label}.`;
  const best = data.studies.flatMap(study => study.best).sort((a, b) => b.satisfied - a.satisfied || b.reward - a.reward)[0];
  const tile = (value, unit, word) => make("div", { class: "tile" }, make("b", {}, value, " ", make("small", {}, unit)), make("span", {}, word));
  const trials = data.studies.reduce((sum, study) => sum + study.trials, 0);
  const volumes = data.groups.map(group => group.curves.volume?.[1].at(-1) ?? 0);
  byId("tiles").append(...(data.pareto ? [
    tile(number(Math.max(...volumes), 4), "", data.groups.length > 1 ? "largest hypervolume" : several ? "hypervolume, median" : "hypervolume"),
    tile(data.best.length.toLocaleString("en"), "", several ? "designs on their common front" : "designs on the front"),
    ...(data.best.length ? [tile(number(designs.accuracy[data.best[0]], 4), "%", "its highest accuracy"),
      ...data.metrics.map(metric => tile(number(Math.min(...data.best.map(row => designs[metric.key][row]))), metric.unit, `its least ${metric.word}`))] : [])] : best ? [
    tile(number(best.accuracy, 4), "%", best.satisfied ? "best accuracy" : "nearest accuracy"),
    ...data.metrics.map(metric => tile(number(best[metric.key]), metric.unit, `its ${metric.word}`))] : []),
  tile(trials.toLocaleString("en"), "", several ? `trials of ${data.studies.length} studies` : "trials"),
  ...(data.pareto ? [] : [tile(data.distinct.toLocaleString("en"), "", "designs in the plots")]));
  if (best && !data.pareto) byId("sentences").append(make("p", {}, best.satisfied ? "The best design: " : "No design meets every target; the nearest by reward: ", make("code", {}, best.network), ` on ${best.accelerator}.`));
  if (!several) {
    const [{ counted, phased, targets }] = data.studies;
    if (!data.pareto && targets !== "none") byId("sentences").append(make("p", {}, `Targets: ${targets}.`));
    for (const text of [counted, phased]) if (text) byId("sentences").append(make("p", {}, `${text[0].toUpperCase()}${text.slice(1)}.`));
  }
  for (const study of data.studies) if (study.checked) byId("sentences").append(make("p", {}, `${several ? `${study.label}: ` : ""}${study.checked}. Costs on this page are simulated; what the model predicted stands in brackets.`));
  if (data.groups.length > 1) byId("legend").append(...data.groups.map((group, g) => {
    const seeds = data.studies.filter(study => study.group === g).length;
    return make("button", { type: "button", "aria-pressed": true, onclick: event => {
      const hide = !chosen.hidden.delete(g);
      if (hide) chosen.hidden.add(g);
      event.currentTarget.setAttribute("aria-pressed", !hide);
      changed("groups");
    } }, make("span", { class: "swatch", style: `background:${colour(g)}` }), `${group.label} (${seeds} seed${seeds > 1 ? "s" : ""})`);
  }));
}
function made() {
  for (const study of data.studies) {
    const code = make("code", {}, ...study.command.split(" ").flatMap((word, i) => [i ? " " : "", make("span", {}, word)]));
    const copy = make("button", { type: "button", onclick: async () => {
      try { await navigator.clipboard.writeText(study.command); copy.textContent = "copied"; } catch {
        getSelection().selectAllChildren(code); copy.textContent = "selected";
      }
    } }, "copy");
    const most = Math.max(...study.reasons.map(([, trials]) => trials), 1);
    const reasons = make("table", { class: "reasons" }, make("tbody", {}, ...study.reasons.map(([text, trials]) => make("tr", {}, make("td", {}, text),
      make("td", { class: "number" }, trials.toLocaleString("en")), make("td", {}, make("span", { class: "swatch", style: `width:calc(min(12rem, 20vw) * ${trials / most});background:var(--c0)` }))))));
    const facts = make("table", { class: "facts" }, make("tbody", {}, ...Object.entries({ ...(study.path ? { study: study.path } : {}), ...study.facts })
      .map(([name, value]) => make("tr", {}, make("td", {}, name), make("td", {}, value)))));
    byId("made").append(make("details", { open: !several }, make("summary", {}, several ? `${study.label}: ${study.counted}` : "What became of the trials, the command that searches the same again, and what it ran on"),
      reasons, make("div", { class: "copy" }, code, copy), make("div", { class: "scroll" }, facts)));
  }
}

summary();
frontKey();
const draws = data.metrics.map(metric => {
  const place = make("figure", {});
  byId("fronts").append(make("div", {}, make("h3", {}, `Accuracy against ${metric.word}`), place));
  return frontPlot(place, metric.key);
});
const reward = choice(byId("rewards-choice"), "Curve", Object.entries(CURVES), drawRewards);
const importances = Object.keys(data.importance);
const important = importances.length ? choice(byId("importance-choice"), "Metric", importances.map(key => [key, WORDS[key].split(",")[0]]), drawImportance) : null;
if (!important) byId("importance").replaceChildren(make("p", {}, "There are too few unlike designs to tell."));
let withNetwork = false, refresh = () => {};
const redrawParallel = () => { refresh = drawParallel(withNetwork); };
byId("parallel-bar").append(make("label", {}, make("input", { type: "checkbox", onchange: event => { withNetwork = event.target.checked; redrawParallel(); changed("brush"); } }), " with the network's decisions"),
  make("button", { type: "button", id: "free", disabled: true, onclick: () => { brushes.clear(); refresh(); changed("brush"); } }, "free all axes"));
setUpTable();
setUpLayers();
made();

watchers.push(what => {
  draws.forEach(draw => draw());
  if (what === "groups") { drawRewards(reward()); redrawParallel(); }
  if (what === "design") { refresh(); drawLayers(); }
  drawTable();
});
function drawAll() {
  draws.forEach(draw => draw());
  drawRewards(reward());
  if (important) drawImportance(important());
  redrawParallel();
  drawLayers();
}
chosen.design = opened.length ? opened[0] : data.best[0] ?? null;
drawTable();
drawAll();
let drawnAt = document.documentElement.clientWidth;
addEventListener("resize", () => {
  if (document.documentElement.clientWidth === drawnAt) return;
  drawnAt = document.documentElement.clientWidth;
  drawAll();
});
byId("theme").addEventListener("change", event => { document.documentElement.style.colorScheme = event.target.value; });
document.documentElement.dataset.drawn = "yes";
