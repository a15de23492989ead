// The designs: sorted, filtered, a page at a time.
const ROWS = 25;
const predicted = designs.predicted;
const withPrediction = (metric, row) => number(designs[metric][row]) + (predicted && predicted[metric][row] !== null ? ` (${number(predicted[metric][row])})` : "");
const deviation = row => data.deviations[designs.network[row]];
const COLUMNS = [
  { name: "trial", number: true, of: row => designs.trial[row] },
  ...(several ? [{ name: "study", of: row => data.studies[designs.study[row]].label }] : []),
  { name: "network", of: networkName, kind: "network" },
  { name: "accelerator", of: accelerator, kind: "accelerator" },
  { name: WORDS.accuracy, number: true, of: row => designs.accuracy[row],
    text: row => (designs.accuracy[row] === null ? "–" : designs.accuracy[row].toFixed(2)) + (deviation(row) == null ? "" : ` ± ${deviation(row).toFixed(2)}`) },
  ...data.metrics.map(metric => ({ name: WORDS[metric.key], number: true, of: row => designs[metric.key][row], text: row => withPrediction(metric.key, row) })),
  { name: WORDS.parameters, number: true, of: row => designs.parameters[row], text: row => (designs.parameters[row] / 1e6).toFixed(2) },
  { name: "reward", number: true, of: row => designs.reward[row], text: row => number(designs.reward[row], 4) },
  { name: data.pareto ? "front" : "targets", of: verdict, verdict: true },
];
const listing = { column: null, down: false, first: 0, rows: [] };
const words = new Map();
const textOf = row => {
  if (!words.has(row)) words.set(row, `${designs.trial[row]} ${networkName(row)} ${accelerator(row)} ${verdict(row)}${several ? ` ${data.studies[designs.study[row]].label}` : ""}`.toLowerCase());
  return words.get(row);
};

function listed() {
  const asked = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const [runs, met, front, best] = ["only-runs", "only-met", "only-front", "only-best"].map(id => byId(id).checked);
  const rows = [];
  for (let row = 0; row < count; row++) {
    if (!shows(row) || (chosen.kept && !chosen.kept[row])) continue;
    if ((runs && designs.state[row] === "x") || (met && designs.state[row] !== "m") || (front && !FRONT.has(row)) || (best && !BEST.has(row))) continue;
    if (asked.length && !asked.every(word => textOf(row).includes(word))) continue;
    rows.push(row);
  }
  const by = listing.column === null ? null : COLUMNS[listing.column];
  const state = "mrx";
  if (!by) rows.sort((a, b) => state.indexOf(designs.state[a]) - state.indexOf(designs.state[b]) || (data.pareto ? designs.accuracy[b] - designs.accuracy[a] : designs.reward[b] - designs.reward[a]) || a - b);
  else {
    const keys = new Map(rows.map(row => [row, by.of(row)]));
    rows.sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      if (x === null || y === null) return (x === null) - (y === null);
      const order = by.number ? x - y : x < y ? -1 : x > y ? 1 : 0;
      return listing.down ? -order : order;
    });
  }
  return rows;
}
function drawTable() {
  listing.rows = listed();
  listing.first = Math.max(0, Math.min(listing.first, Math.floor((listing.rows.length - 1) / ROWS) * ROWS));
  const page = listing.rows.slice(listing.first, listing.first + ROWS);
  byId("designs").tBodies[0].replaceChildren(...page.map(tableRow));
  const last = listing.first + page.length;
  byId("count").textContent = page.length ? `${(listing.first + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${listing.rows.length.toLocaleString("en")} designs` : "no design is like this";
  byId("back").disabled = listing.first === 0;
  byId("on").disabled = last >= listing.rows.length;
}
function tableRow(row) {
  const cells = COLUMNS.map((column, i) => {
    const text = column.text ? column.text(row) : String(column.of(row) ?? "–");
    const kind = column.number ? "number" : column.kind ?? (column.verdict ? (good(row) ? "met" : designs.state[row] === "m" ? null : "missed") : null);
    const inside = i === 0 ? make("button", { type: "button", "aria-label": `open the design of trial ${text}` }, text)
      : column.name === "network" ? make("code", {}, text) : text;
    return make("td", { class: kind }, inside);
  });
  return make("tr", { "data-row": row, "aria-selected": row === chosen.design, onclick: () => choose(row) }, ...cells);
}
function setUpTable() {
  if (data.pareto) {
    byId("only-met").parentElement.hidden = true;
    byId("only-front").nextSibling.textContent = " on the front of a plot";
    byId("only-best").nextSibling.textContent = " on the front of accuracy, latency, energy and area";
  }
  const head = byId("designs").tHead.rows[0];
  COLUMNS.forEach((column, i) => {
    const sort = make("button", { type: "button", onclick: () => {
      listing.down = listing.column === i ? !listing.down : ["accuracy, %", "reward"].includes(column.name);
      listing.column = i; listing.first = 0;
      [...head.cells].forEach((cell, j) => j === i ? cell.setAttribute("aria-sort", listing.down ? "descending" : "ascending") : cell.removeAttribute("aria-sort"));
      drawTable();
    } }, column.name);
    head.append(make("th", { scope: "col", class: column.number ? "number" : null }, sort));
  });
  byId("filter").addEventListener("input", () => { listing.first = 0; drawTable(); });
  for (const id of ["only-runs", "only-met", "only-front", "only-best"]) byId(id).addEventListener("change", () => { listing.first = 0; drawTable(); });
  byId("back").addEventListener("click", () => { listing.first -= ROWS; drawTable(); });
  byId("on").addEventListener("click", () => { listing.first += ROWS; drawTable(); });
}
