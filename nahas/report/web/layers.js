// One design layer by layer: its roofline, and what its energy goes to.
const opened = Object.keys(data.layers).map(Number);

function setUpLayers() {
  const rank = row => { const at = data.best.indexOf(row); return at < 0 ? 1e9 : at; };
  opened.sort((a, b) => rank(a) - rank(b) || designs.accuracy[b] - designs.accuracy[a]);
  const pick = make("select", { id: "pick", "aria-label": "Design", onchange: event => choose(Number(event.target.value)) },
    ...opened.map(row => make("option", { value: row }, `${rank(row) < 1e9 ? `#${rank(row) + 1} ` : ""}trial ${designs.trial[row]}: ${number(designs.accuracy[row], 4)} %, ${number(designs.latency_ms[row])} ms, ${number(designs.energy_mj[row])} mJ, ${number(designs.area_mm2[row])} mm²`)));
  if (opened.length) byId("layers-bar").append(make("label", {}, "Design ", pick));
}
function drawLayers() {
  const place = byId("layers"), row = chosen.design;
  if (row === null) { place.replaceChildren(make("p", {}, count ? "No design that was tried can run." : "No design has been tried.")); return; }
  if (byId("pick")) byId("pick").value = opened.includes(row) ? row : "";
  const said = make("p", {}, says(row).replaceAll("\n", "; "), ".");
  const of = data.layers[row];
  if (!of) {
    const why = row in data.layers ? "Simulated again it costs something else than the study says (the energy tables or the simulator have changed since), so its layers are not shown."
      : designs.state[row] === "x" ? "It could not be measured, so there are no layers to show."
      : "The page holds the layers of the best designs and of those on the fronts, which the list above names; this design is none of them.";
    place.replaceChildren(said, make("p", {}, why));
    return;
  }
  const roof = make("figure", {}), bars = make("figure", {}), names = make("p", { class: "key" });
  const panels = make("div", { class: "panels" }, make("div", {}, make("h3", {}, "Roofline"), roof,
    make("p", { class: "key" }, "A dot is a layer, its area the time it takes; the slope is the I/O interface, the flat the multipliers. Layers that cross the interface with nothing stand at the right edge; those without multiplications are left out. The first weights of a layer come in while the one before runs.")),
  make("div", {}, make("h3", {}, "Energy by layer and component"), bars, names));
  place.replaceChildren(said, panels, layerTable(of));
  roofline(roof, of);
  energyBars(bars, names, of);
}
const BOUND = { "compute": 0, "local memory": 2, "I/O": 3 };
function roofline(place, of) {
  const { svg, width, height } = picture(place, 330, "roofline of the layers");
  const some = of.name.map((_, i) => i).filter(i => of.macs[i] > 0);
  const intensity = some.map(i => of.bytes[i] ? of.macs[i] / of.bytes[i] : Infinity);
  const speed = some.map(i => of.macs[i] / of.ms[i] / 1e6);
  const finite = intensity.filter(isFinite), ridge = of.peak_gmacs / of.io_gb_per_s;
  const x = scale(Math.min(...finite, ridge) / 1.6, Math.max(...finite, ridge * 2) * 2, 70, width - 24, true);
  const y = scale(Math.min(...speed) / 1.5, of.peak_gmacs * 1.6, height - 44, 12, true);
  axes(svg, x, y, ["multiply-accumulates per byte over the I/O interface", "10⁹ multiply-accumulates/s"]);
  svg.append(make("path", { class: "roof", d: path([[x.clip(y.low / of.io_gb_per_s), y.clip(Math.max(y.low, x.low * of.io_gb_per_s))], [x.at(ridge), y.at(of.peak_gmacs)], [x.to, y.at(of.peak_gmacs)]]) }),
    make("text", { x: x.to - 4, y: y.at(of.peak_gmacs) - 6, "text-anchor": "end" }, `peak ${number(of.peak_gmacs)}`));
  const longest = Math.max(...of.ms);
  some.forEach((i, n) => {
    const r = 3 + 9 * Math.sqrt(of.ms[i] / longest);
    const dot = make("circle", { cx: x.clip(intensity[n] === Infinity ? x.high : intensity[n]), cy: y.clip(speed[n]), r, fill: colour(BOUND[of.bound[i]]), "fill-opacity": 0.65, stroke: "var(--card)" });
    point(dot, of, i);
    svg.append(dot);
  });
  [...new Set(some.map(i => of.bound[i]))].forEach((bound, n) => svg.append(
    make("circle", { cx: 84, cy: 22 + 17 * n, r: 5, fill: colour(BOUND[bound]) }), make("text", { x: 94, y: 26 + 17 * n }, `bound by ${bound}`)));
}
function energyBars(place, names, of) {
  const { svg, width, height } = picture(place, 330, "energy of the layers by component");
  const totals = of.name.map((_, i) => of.energy_uj.reduce((sum, part) => sum + part[i], 0));
  const x = scale(0, of.name.length, 56, width - 10), y = scale(0, Math.max(...totals) * 1.05, height - 44, 12);
  axes(svg, { ...x, high: -1, low: 0 }, y, ["layers in the order they run", "energy, µJ"]);
  of.name.forEach((_, i) => {
    let sum = 0;
    const bar = make("g", {}), from = x.at(i + 0.08), wide = Math.max(0.8, x.at(i + 0.92) - from);
    of.energy_uj.forEach((part, c) => {
      const top = y.at(sum + part[i]);
      bar.append(make("rect", { x: one(from), y: one(top), width: one(wide), height: Math.max(0, one(y.at(sum) - top)), fill: colour(c) }));
      sum += part[i];
    });
    point(bar, of, i);
    svg.append(bar);
  });
  const whole = totals.reduce((a, b) => a + b, 0);
  data.components.forEach((name, c) => names.append(make("span", { class: "swatch", style: `background:${colour(c)}` }),
    `${name} ${percent(of.energy_uj[c].reduce((a, b) => a + b, 0) / whole)}`));
}
function point(mark, of, i) {
  const split = data.components.map((name, c) => `${name} ${number(of.energy_uj[c][i])}`).join(", ");
  const text = `${of.name[i]}, ${of.shape[i]}\n${number(of.macs[i] / 1e6)} million MACs, ${number(of.ms[i] * 1e3)} µs, bound by ${of.bound[i]}, ${percent(of.use[i])} of the multipliers\n${number(of.bytes[i] / 1e3)} kB over the I/O interface\nµJ: ${split}`;
  mark.addEventListener("pointermove", event => tell(text, event.clientX, event.clientY));
  mark.addEventListener("pointerleave", hush);
}
function layerTable(of) {
  const head = ["layer", "shape", "million MACs", "µs", "bound by", "multipliers used", "I/O, kB", "energy, µJ"];
  const right = i => (i >= 2 && i !== 4 ? "number" : null);
  const rows = of.name.map((name, i) => [name, of.shape[i], of.macs[i] ? number(of.macs[i] / 1e6) : "", number(of.ms[i] * 1e3), of.bound[i],
    of.macs[i] ? percent(of.use[i]) : "", number(of.bytes[i] / 1e3), number(of.energy_uj.reduce((sum, part) => sum + part[i], 0))]);
  return make("details", {}, make("summary", {}, `All ${of.name.length} layers as a table`), make("div", { class: "scroll" }, make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((text, i) => make("th", { scope: "col", class: right(i) }, text)))),
    make("tbody", {}, ...rows.map(cells => make("tr", {}, ...cells.map((text, i) => make("td", { class: right(i) }, text))))))));
}
