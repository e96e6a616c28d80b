// Charts over time: the whole session faint, what has happened so far in full colour.

const LEFT = 54; // pixels of a chart before its first step, and after its last
const RIGHT = 8;
const SVG = "http://www.w3.org/2000/svg";
const column = (name) => frames.map((frame) => frame[name]);

const CHARTS = [
  {
    name: "Cumulative reward, expected dashed",
    lines: [
      ["expected", column("total_expected")],
      ["", column("total_reward")],
    ],
  },
  { name: "Satisfaction", lines: [["", column("satisfaction")]], range: [0, 1] },
  { name: "Patience", lines: [["", column("patience").map((left) => Math.max(0, left))]] },
  { name: "Answers", lanes: true },
];

function shape(parent, tag, attributes, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

// Puts the charts on the page; a click or a drag on one calls seek(step).
function makeCharts(seek) {
  for (const chart of CHARTS) {
    const box = element(byId("charts"), "div", { className: chart.lanes ? "chart lanes" : "chart" });
    const heading = element(box, "h3");
    element(heading, "span", {}, chart.name);
    chart.value = element(heading, "b");
    chart.canvas = element(box, "div", { className: "canvas" });
    chart.canvas.setAttribute("role", "img");
    const point = (event) => {
      const edge = chart.canvas.getBoundingClientRect();
      seek(Math.round((last * (event.clientX - edge.left - LEFT)) / (edge.width - LEFT - RIGHT)));
    };
    chart.canvas.addEventListener("pointerdown", point);
    chart.canvas.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) point(event);
    });
  }
}

function drawChart(chart) {
  const { clientWidth: width, clientHeight: height } = chart.canvas;
  chart.canvas.replaceChildren();
  const svg = shape(chart.canvas, "svg", { "aria-hidden": "true" });
  chart.x = (step) => LEFT + (last ? step / last : 0) * (width - LEFT - RIGHT);
  const bottom = height - (chart.lanes ? 18 : 6);
  (chart.lanes ? drawLanes : drawLines)(chart, svg, width - RIGHT, 6, bottom);
  chart.cursor = shape(svg, "line", { class: "cursor", y1: 0, y2: bottom + 4 });
  chart.now = chart.lanes ? null : shape(svg, "circle", { class: "now", r: 4 });
  chart.svg = svg;
}

// One lane per kind of event, a dot where a step brought some.
function drawLanes(chart, svg, right, top, bottom) {
  EVENTS.forEach(([, kind, word], lane) => {
    const y = top + ((lane + 0.5) * (bottom - top)) / EVENTS.length;
    shape(svg, "text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, word);
    shape(svg, "line", { class: "grid", x1: LEFT, x2: right, y1: y, y2: y });
    answers[lane].forEach((count, step) => {
      if (!count) return;
      const place = { cx: chart.x(step), cy: y, r: Math.min(2 + count, 5) };
      shape(svg, "circle", { class: `event ${kind}`, "data-step": step, ...place });
    });
  });
  for (const step of new Set([0, Math.round(last / 2), last])) {
    const anchor = step === last && last ? "end" : "middle";
    const place = { x: chart.x(step), y: bottom + 15, "text-anchor": anchor };
    shape(svg, "text", place, step ? String(step) : "step 0");
  }
}

function drawLines(chart, svg, right, top, bottom) {
  const values = chart.lines.flatMap((line) => line[1]);
  const [from, to] = chart.range ?? [Math.min(0, ...values), Math.max(0.1, ...values)];
  chart.y = (value) => bottom - ((value - from) / (to - from)) * (bottom - top);
  for (const tick of ticks(from, to)) {
    const y = chart.y(tick);
    shape(svg, "line", { class: "grid", x1: LEFT, x2: right, y1: y, y2: y });
    const text = fixed(tick, to - from < 3 ? 1 : 0);
    shape(svg, "text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, text);
  }
  for (const [kind, line] of chart.lines) {
    const points = line.map((value, step) => `${chart.x(step)},${chart.y(value)}`);
    shape(svg, "polyline", { class: `line ahead ${kind}`, points: points.join(" ") });
    shape(svg, "polyline", { class: `line past ${kind}` }).whole = points;
  }
}

// Two to five round numbers between the ends of an axis.
function ticks(from, to) {
  const half = (to - from) / 2;
  const power = 10 ** Math.floor(Math.log10(half));
  const step = [5, 2, 1].find((factor) => factor * power <= half * 1.0001) * power;
  const first = Math.ceil(from / step - 1e-9);
  const count = Math.floor(to / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, index) => (first + index) * step);
}

function moveChart(chart, step) {
  const x = chart.x(step);
  chart.cursor.setAttribute("x1", x);
  chart.cursor.setAttribute("x2", x);
  if (chart.lanes) {
    for (const mark of chart.svg.querySelectorAll(".event"))
      mark.setAttribute("opacity", Number(mark.dataset.step) <= step ? 1 : 0.28);
    chart.canvas.setAttribute("aria-label", `Answers by step: ${describeAnswers(step)} so far`);
    return;
  }
  for (const line of chart.svg.querySelectorAll(".past"))
    line.setAttribute("points", line.whole.slice(0, step + 1).join(" "));
  const value = chart.lines.at(-1)[1][step];
  chart.now.setAttribute("cx", x);
  chart.now.setAttribute("cy", chart.y(value));
  chart.value.textContent = fixed(value, chart.range ? 2 : 1);
  chart.canvas.setAttribute("aria-label", `${chart.name}: ${fixed(value)} at step ${frames[step].step}`);
}
