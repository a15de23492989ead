// What all plots share: the data, what is chosen, elements, scales, axes.
const data = JSON.parse(document.getElementById("data").textContent);
const designs = data.designs, count = designs.trial.length;
const several = data.studies.length > 1;
const chosen = { design: null, kept: null, hidden: new Set() };
const watchers = [];
const byId = id => document.getElementById(id);
const groupOf = row => data.studies[designs.study[row]].group;
const shows = row => !chosen.hidden.has(groupOf(row));
const colour = group => `var(--c${group % 8})`;
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "12 4", "4 2", "1 3", "6 2 1 2"];
const dash = group => DASHES[group % 8];
const METRICS = Object.fromEntries(data.metrics.map(metric => [metric.key, `${metric.word}, ${metric.unit}`]));
const WORDS = { accuracy: "accuracy, %", ...METRICS, parameters: "parameters, M", reward: "reward" };
const BEST = new Set(data.best);
// Coloured in the plots: what meets every target; in Pareto mode the front of all objectives.
const good = row => designs.state[row] === "m" && (!data.pareto || BEST.has(row));
const FRONT = new Set(data.groups.flatMap(group => Object.values(group.fronts).flat()));

function changed(what) { for (const watch of watchers) watch(what); }
function choose(row) { chosen.design = row; changed("design"); }

const HTML = new Set(["div", "p", "span", "b", "small", "table", "thead", "tbody", "tr", "td", "th", "button", "label", "input",
  "select", "option", "code", "h3", "figure", "details", "summary"]);
function make(tag, attributes = {}, ...children) {
  const element = HTML.has(tag) ? document.createElement(tag)
    : document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith("aria-") && value !== null) element.setAttribute(name, String(value));
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

function number(value, digits = 3) {
  if (value === null || value === undefined || !isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000 || Number.isInteger(value)) return Math.round(value).toLocaleString("en");
  if (size && size < 1e-3) return value.toExponential(1);
  return String(Number(value.toPrecision(digits)));
}
const percent = part => `${part ? (100 * part).toFixed(part < 0.0995 ? 1 : 0) : 0} %`;
const NAMES = { pes_x: "PEs across", pes_y: "PEs down", simd_units: "SIMD units", compute_lanes: "lanes",
  local_memory_mb: "local memory, MB", register_file_kb: "register file, KB", io_gb_per_s: "I/O, GB/s" };
const named = name => NAMES[name] ?? name.replaceAll("_", " ");

// A scale of values on pixels: equal steps are equal ratios where it is logarithmic.
function scale(low, high, from, to, logarithmic = false) {
  const f = logarithmic ? Math.log : x => x;
  if (!(f(high) > f(low))) { high = low + (Math.abs(low) * 0.1 || 1); low -= (high - low) / (logarithmic ? 3 : 1); }
  const at = value => from + (f(value) - f(low)) / (f(high) - f(low)) * (to - from);
  return { low, high, from, to, logarithmic, at,
    clip: value => at(Math.min(Math.max(value, low), high)),
    holds: value => value !== null && value >= low && value <= high };
}
function ticks({ low, high, from, to, logarithmic }) {
  const wanted = Math.max(2, Math.abs(to - from) / (logarithmic ? 45 : 70));
  if (logarithmic) {
    for (const steps of [[1, 2, 3, 5], [1, 2, 5], [1, 3], [1]]) {
      const found = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
        for (const step of steps) found.push(Number((step * 10 ** power).toPrecision(12)));
      const inside = found.filter(value => value >= low && value <= high);
      if (inside.length <= wanted + 2 || steps.length === 1) return inside;
    }
  }
  const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map(s => s * power).find(s => s >= rough);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(Number((n * step).toPrecision(12)));
  return found;
}
function quantile(values, part) {
  const sorted = values.filter(value => value !== null && isFinite(value)).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] : null;
}

// An empty picture as wide as its place, so that letters keep their size.
function picture(place, height, title, extra = {}, least = 260) {
  const width = Math.max(least, place.clientWidth || 900);
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title, ...extra });
  if (width > place.clientWidth) svg.style.minWidth = `${width}px`;
  place.replaceChildren(svg);
  return { svg, width, height };
}
function axes(svg, x, y, names) {
  const parts = [];
  for (const value of ticks(x)) {
    const at = x.at(value);
    parts.push(make("line", { class: "grid", x1: at, x2: at, y1: y.to, y2: y.from }));
    parts.push(make("text", { x: at, y: y.from + 16, "text-anchor": "middle" }, number(value)));
  }
  for (const value of ticks(y)) {
    const at = y.at(value);
    parts.push(make("line", { class: "grid", x1: x.from, x2: x.to, y1: at, y2: at }));
    parts.push(make("text", { x: x.from - 6, y: at + 4, "text-anchor": "end" }, number(value, 4)));
  }
  parts.push(make("line", { class: "axis", x1: x.from, x2: x.to, y1: y.from, y2: y.from }));
  parts.push(make("text", { x: (x.from + x.to) / 2, y: y.from + 34, "text-anchor": "middle" }, names[0]));
  parts.push(make("text", { x: 12, y: (y.from + y.to) / 2, "text-anchor": "middle",
    transform: `rotate(-90 12 ${(y.from + y.to) / 2})` }, names[1]));
  svg.append(...parts);
}
const one = value => Math.round(value * 10) / 10;
const path = points => points.map(([x, y], i) => `${i ? "L" : "M"}${one(x)} ${one(y)}`).join("");
function star(x, y) {
  const corners = [...Array(10).keys()].map(i => {
    const r = i % 2 ? 4.5 : 11, turn = i * Math.PI / 5;
    return `${one(x + r * Math.sin(turn))},${one(y - r * Math.cos(turn))}`;
  });
  return make("polygon", { class: "star", points: corners.join(" ") });
}

// Words beside the pointer, or beside what is in focus.
function tell(text, x, y) {
  const tip = byId("tip");
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + box.height + 22 > innerHeight ? y - box.height - 12 : y + 16}px`;
}
const hush = () => tell("");

function accelerator(row) {
  const has = value => decisionValue(row, value);
  const lanes = has("compute_lanes");
  return `${has("pes_x")}x${has("pes_y")} PEs, ${lanes} lane${lanes > 1 ? "s" : ""}, ${has("simd_units")} SIMD, `
    + `${has("local_memory_mb")} MB, ${has("register_file_kb")} KB, ${has("io_gb_per_s")} GB/s`;
}
const LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LETTER = Object.fromEntries([...LETTERS].map((letter, i) => [letter, i]));
function choiceOf(row, d) {
  const column = designs.choices[d];
  return typeof column !== "string" ? column[row] : column[row] === "-" ? -1 : LETTER[column[row]];
}
const PLACE = Object.fromEntries(data.decisions.map((decision, d) => [decision.name, d]));
const decisionValue = (row, name) => data.decisions[PLACE[name]].values[choiceOf(row, PLACE[name])];
const networkName = row => data.networks[designs.network[row]];

function verdict(row) {
  const state = designs.state[row];
  if (state === "m") return !data.pareto ? "met" : good(row) ? "on the front" : "dominated";
  if (state === "x") return designs.reason[row];
  if (designs.accuracy[row] === null) return "no accuracy";
  const over = Object.entries(data.groups[groupOf(row)].targets)
    .filter(([metric, limit]) => designs[metric][row] > limit)
    .map(([metric, limit]) => `${data.metrics.find(m => m.key === metric)?.word ?? metric} +${percent(designs[metric][row] / limit - 1)}`);
  return over.join(", ") || "misses a target";
}
function says(row) {
  const study = several ? `${data.studies[designs.study[row]].label}, ` : "";
  return `${study}trial ${designs.trial[row]}: ${number(designs.accuracy[row], 4)} %, ${number(designs.latency_ms[row])} ms, `
    + `${number(designs.energy_mj[row])} mJ, ${number(designs.area_mm2[row])} mm²\n`
    + `reward ${number(designs.reward[row], 4)}; ${data.pareto ? "" : "targets: "}${verdict(row)}\n${networkName(row)}\n${accelerator(row)}`;
}

// Buttons of which one is on.
function choice(place, name, options, on) {
  let now = options[0]?.[0];
  const group = make("div", { class: "choice bar", role: "radiogroup", "aria-label": name });
  const buttons = options.map(([key, text]) => make("button", { type: "button", role: "radio", "aria-checked": key === now,
    onclick: () => pick(key) }, text));
  function pick(key) {
    now = key;
    buttons.forEach((button, i) => button.setAttribute("aria-checked", options[i][0] === key));
    on(key);
  }
  group.append(...buttons);
  if (options.length > 1) place.append(group);
  return () => now;
}
