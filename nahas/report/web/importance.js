// Which of the accelerator's decisions matter, from the variance decomposition in the page.
function drawImportance(metric) {
  const place = byId("importance"), of = data.importance[metric];
  const row = 34, left = 150, height = 20 + row * of.decisions.length + 40;
  const { svg, width } = picture(place, height, `importance of the accelerator's decisions for ${metric === "reward" ? "reward" : WORDS[metric]}`);
  const wide = width > 760, right = width - (wide ? 330 : 60);
  const most = Math.max(...of.decisions.map(d => d.alone + d.together + d.error), 0.05);
  const x = scale(0, Math.min(1, most * 1.05), left, right);
  for (const value of ticks(x)) {
    const at = x.at(value);
    svg.append(make("line", { class: "grid", x1: at, x2: at, y1: 8, y2: height - 34 }),
      make("text", { x: at, y: height - 18, "text-anchor": "middle" }, percent(value)));
  }
  of.decisions.forEach((decision, i) => {
    const top = 12 + i * row, middle = top + 11, total = decision.alone + decision.together;
    svg.append(make("text", { class: "strong", x: left - 8, y: middle + 4, "text-anchor": "end" }, named(decision.name)),
      make("rect", { x: left, y: top, width: Math.max(0, x.at(decision.alone) - left), height: 22, fill: "var(--c0)" }),
      make("rect", { x: x.at(decision.alone), y: top, width: Math.max(0, x.at(total) - x.at(decision.alone)), height: 22, fill: "var(--c0)", "fill-opacity": 0.4 }),
      make("path", { class: "whisker", d: `M${x.clip(total - decision.error)} ${middle}H${x.clip(total + decision.error)}m0 -5v10M${x.clip(total - decision.error)} ${middle - 5}v10` }),
      make("text", { class: "strong", x: x.clip(total + decision.error) + 8, y: middle + 4 }, percent(total)));
    if (wide) svg.append(make("text", { x: width - 4, y: middle + 4, "text-anchor": "end" }, effect(metric, decision)));
  });
  svg.append(make("text", { x: (left + right) / 2, y: height - 2, "text-anchor": "middle" }, "share of the variance over all accelerators"));
  byId("importance-key").textContent = `Of the variance of ${metric === "reward" ? "reward" : `the logarithm of ${WORDS[metric]}`} over all accelerators, as a model of the ${of.designs.toLocaleString("en")} designs that can run has it: `
    + "full colour is what a decision decides by itself, pale what it decides with one other (half of it for each). The model has a weight for each value, each pair of values and each value of the network's decisions; "
    + `the shares are its exact functional ANOVA, the whiskers their standard errors (jackknife). It explains ${percent(Math.max(0, of.explained))} of the variance of designs that it did not learn from${of.explained < 0.5 ? ": so take the shares for hints" : ""}. `
    + `Of the variance of networks and accelerators together, networks are ${percent(of.network)}. Right: the value that makes ${metric === "reward" ? "reward" : WORDS[metric].split(",")[0]} least, and the one that makes it most, with their mean effect.`;
}
function effect(metric, decision) {
  const told = ([value, size]) => `${number(value)} (${metric === "reward" ? `${size > 0 ? "+" : ""}${number(size)}` : `×${number(size)}`})`;
  return `least at ${told(decision.least)}, most at ${told(decision.most)}`;
}
