"use strict";
// Replays one session. Everything shown comes from the JSON in this page, written as text, never as markup.
(() => {
  const session = JSON.parse(document.getElementById("session").textContent);
  const frames = session.frames;
  const last = frames.length - 1;
  const EVENTS = [[1, "click", "clicked"], [2, "like", "liked"], [4, "purchase", "bought"]];
  const SVG = "http://www.w3.org/2000/svg";
  const byId = (id) => document.getElementById(id);
  const fixed = (value, digits = 2) => value.toFixed(digits).replace("-", "\u2212");
  const signed = (value) => (value < 0 ? "" : "+") + fixed(value);
  const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  const wait = { timer: 0 };
  const RIGHT = 8; // pixels of a chart beside its last step
  let current = 0;

  function element(parent, tag, properties = {}, text = "") {
    const made = document.createElement(tag);
    Object.assign(made, properties);
    if (text) made.textContent = text;
    parent.append(made);
    return made;
  }

  function shape(parent, tag, attributes, text = "") {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text) made.textContent = text;
    parent.append(made);
    return made;
  }

  const named = (events, word) => EVENTS.filter(([bit]) => events & bit).map((event) => event[word]);

  // ---- The slate and the history of a frame
  function addBadges(parent, events, className) {
    const badges = element(parent, "div", { className });
    for (const [bit, kind, word] of EVENTS)
      if (events & bit) element(badges, "span", { className: `badge ${kind}` }, word);
    if (!events) element(badges, "span", { className: "badge none" }, "no click");
  }

  function showSlate(frame) {
    const body = byId("slate").tBodies[0];
    body.replaceChildren();
    frame.slate.forEach((shown, position) => {
      const row = element(body, "tr", { className: shown.events ? "clicked" : "" });
      element(row, "td", {}, String(position));
      const item = element(row, "td");
      element(item, "span", { className: "item" }, String(shown.item));
      element(item, "span", { className: "topic" }, ` topic ${shown.topic}`);
      element(row, "td", { className: "number" }, fixed(shown.price));
      const chance = element(element(row, "td"), "div", { className: "chance" });
      element(chance, "span", {}, fixed(shown.click_prob));
      const track = element(chance, "span", { className: "track" });
      element(track, "div", { className: "fill" }).style.width = `${100 * shown.click_prob}%`;
      addBadges(element(row, "td"), shown.events, "badges");
    });
    byId("slate").hidden = !frame.slate.length;
    byId("slate-empty").hidden = frame.slate.length > 0;
  }

  function showHistory(frame) {
    const list = byId("history");
    list.replaceChildren();
    for (const shown of [...frame.history].reverse()) {
      const done = named(shown.events, 2).join(", ");
      const entry = element(list, "li", { title: `item ${shown.item}, topic ${shown.topic}: ${done}` });
      element(entry, "b", {}, String(shown.item));
      element(entry, "span", { className: "muted" }, ` topic ${shown.topic}`);
      const marks = element(entry, "span", { className: "marks" });
      for (const kind of named(shown.events, 1)) element(marks, "i", { className: kind });
      element(marks, "span", { className: "visually-hidden" }, done);
      element(entry, "span", { className: "detail" }, fixed(shown.price));
      addBadges(entry, shown.events, "badges detail");
    }
    if (!frame.history.length) element(list, "li", { className: "muted" }, "empty: the user arrived cold");
  }

  // ---- Topics: interest, long-run taste, satiation
  const lowest = Math.min(0, ...session.taste, ...frames.flatMap((frame) => frame.interest));
  const low = Math.floor(lowest * 10) / 10;
  const across = (value) => (100 * (value - low)) / (1 - low);

  const topicRows = session.topics.map((topic, index) => {
    const row = element(byId("topics").tBodies[0], "tr");
    element(row, "th", { scope: "row" }, `topic ${topic}`);
    const plot = element(element(row, "td"), "div", { className: "plot" });
    plot.setAttribute("aria-hidden", "true");
    const interest = element(plot, "div", { className: "bar interest" });
    const satiation = element(plot, "div", { className: "bar satiation" });
    element(plot, "div", { className: "zero" }).style.left = `${across(0)}%`;
    element(plot, "div", { className: "mark" }).style.left = `${across(session.taste[index])}%`;
    const numbers = [0, 1].map(() => element(row, "td", { className: "number" }));
    return { row, interest, satiation, numbers };
  });

  function stretch(bar, value) {
    bar.style.left = `${across(Math.min(0, value))}%`;
    bar.style.width = `${Math.abs(across(value) - across(0))}%`;
  }

  function showTopics(frame) {
    const onSlate = new Set(frame.slate.map((shown) => shown.topic));
    topicRows.forEach(({ row, interest, satiation, numbers }, index) => {
      row.classList.toggle("shown", onSlate.has(session.topics[index]));
      stretch(interest, frame.interest[index]);
      stretch(satiation, frame.satiation[index]);
      numbers[0].textContent = fixed(frame.interest[index]);
      numbers[1].textContent = fixed(frame.satiation[index]);
    });
  }

  // ---- Charts over time: the whole session faint, what has happened so far in full colour
  const column = (name) => frames.map((frame) => frame[name]);
  const answers = EVENTS.map(([bit]) =>
    frames.map((frame) => frame.slate.filter((shown) => shown.events & bit).length));
  const soFar = answers.map((counts) => counts.map((_, end) => counts.slice(0, end + 1).reduce((a, b) => a + b, 0)));
  const CHARTS = [
    { name: "Cumulative reward, expected dashed", lines: [["expected", column("total_expected")], ["", column("total_reward")]] },
    { name: "Satisfaction", lines: [["", column("satisfaction")]], range: [0, 1] },
    { name: "Patience", lines: [["", column("patience")]] },
    { name: "Answers", lanes: true },
  ];

  for (const chart of CHARTS) {
    const box = element(byId("charts"), "div", { className: chart.lanes ? "chart lanes" : "chart" });
    const heading = element(box, "h3");
    element(heading, "span", {}, chart.name);
    chart.value = element(heading, "b");
    chart.canvas = element(box, "div", { className: "canvas" });
    chart.canvas.setAttribute("role", "img");
    const seek = (event) => {
      const edge = chart.canvas.getBoundingClientRect();
      const share = (event.clientX - edge.left - chart.left) / (edge.width - chart.left - RIGHT);
      pause();
      go(Math.round(share * last));
    };
    chart.canvas.addEventListener("pointerdown", seek);
    chart.canvas.addEventListener("pointermove", (event) => { if (event.buttons & 1) seek(event); });
  }

  function ticks(from, to) {
    const half = (to - from) / 2, power = 10 ** Math.floor(Math.log10(half));
    const step = [5, 2, 1].find((factor) => factor * power <= half * 1.0001) * power;
    const count = Math.floor(to / step + 1e-9) - Math.ceil(from / step - 1e-9) + 1;
    return Array.from({ length: count }, (_, index) => (Math.ceil(from / step - 1e-9) + index) * step);
  }

  function drawChart(chart) {
    const width = chart.canvas.clientWidth, height = chart.canvas.clientHeight;
    chart.canvas.replaceChildren();
    const svg = shape(chart.canvas, "svg", { "aria-hidden": "true" });
    const top = 6, bottom = height - (chart.lanes ? 18 : 6);
    chart.left = 54;
    chart.x = (step) => chart.left + (last ? step / last : 0) * (width - chart.left - RIGHT);
    if (chart.lanes) {
      EVENTS.forEach(([, kind, word], lane) => {
        const y = top + ((lane + 0.5) * (bottom - top)) / EVENTS.length;
        shape(svg, "text", { x: chart.left - 8, y: y + 4, "text-anchor": "end" }, word);
        shape(svg, "line", { class: "grid", x1: chart.left, x2: width - RIGHT, y1: y, y2: y });
        answers[lane].forEach((count, step) => {
          if (count) shape(svg, "circle", { class: `event ${kind}`, cx: chart.x(step), cy: y, r: Math.min(2 + count, 5), "data-step": step });
        });
      });
      for (const step of new Set([0, Math.round(last / 2), last])) shape(svg, "text", { x: chart.x(step), y: height - 3, "text-anchor": step === last && last ? "end" : "middle" }, step ? String(step) : "step 0");
    } else {
      const values = chart.lines.flatMap((line) => line[1]);
      const [from, to] = chart.range ?? [Math.min(0, ...values), Math.max(0.1, ...values)];
      chart.y = (value) => bottom - ((value - from) / (to - from)) * (bottom - top);
      for (const tick of ticks(from, to)) {
        shape(svg, "line", { class: "grid", x1: chart.left, x2: width - RIGHT, y1: chart.y(tick), y2: chart.y(tick) });
        shape(svg, "text", { x: chart.left - 8, y: chart.y(tick) + 4, "text-anchor": "end" }, fixed(tick, to - from < 3 ? 1 : 0));
      }
      for (const [kind, line] of chart.lines) {
        const points = line.map((value, step) => `${chart.x(step)},${chart.y(value)}`);
        shape(svg, "polyline", { class: `line ahead ${kind}`, points: points.join(" ") });
        shape(svg, "polyline", { class: `line past ${kind}` }).whole = points;
      }
    }
    chart.cursor = shape(svg, "line", { class: "cursor", y1: 0, y2: bottom + 4 });
    chart.now = chart.lanes ? null : shape(svg, "circle", { class: "now", r: 4 });
    chart.svg = svg;
  }

  function moveChart(chart) {
    const x = chart.x(current);
    chart.cursor.setAttribute("x1", x);
    chart.cursor.setAttribute("x2", x);
    if (chart.lanes) {
      for (const mark of chart.svg.querySelectorAll(".event"))
        mark.setAttribute("opacity", Number(mark.dataset.step) <= current ? 1 : 0.28);
      chart.value.textContent = "";
      chart.canvas.setAttribute("aria-label", `Answers by step. ${describeAnswers()} so far.`);
      return;
    }
    for (const line of chart.svg.querySelectorAll(".past")) line.setAttribute("points", line.whole.slice(0, current + 1).join(" "));
    const value = chart.lines.at(-1)[1][current];
    chart.now.setAttribute("cx", x);
    chart.now.setAttribute("cy", chart.y(value));
    chart.value.textContent = fixed(value, chart.range ? 2 : 1);
    chart.canvas.setAttribute("aria-label", `${chart.name}: ${fixed(value)} at step ${frames[current].step}`);
  }

  // ---- Words
  const describeAnswers = () => EVENTS.map(([, kind], index) => plural(soFar[index][current], kind)).join(", ");

  function describeStep(frame) {
    if (!frame.slate.length) return `User ${session.user} has just arrived. Nothing has been shown yet.`;
    const answered = frame.slate.filter((shown) => shown.events)
      .map((shown) => `item ${shown.item} ${named(shown.events, 2).join(", ")}`);
    const happened = answered.length ? answered.join("; ") : "no click";
    const end = current === last ? ` ${session.end}` : "";
    return `Step ${frame.step}: ${happened}. Reward ${fixed(frame.reward)}, expected ${fixed(frame.expected_reward)}.${end}`;
  }

  function showTiles(frame) {
    byId("tile-reward").textContent = fixed(frame.total_reward);
    byId("tile-reward-note").textContent = `expected ${fixed(frame.total_expected)}`;
    byId("tile-step").textContent = current ? signed(frame.reward) : "\u2013";
    byId("tile-step-note").textContent = current ? `expected ${fixed(frame.expected_reward)}` : "nothing shown yet";
    byId("tile-events").textContent = soFar.map((counts) => counts[current]).join(" \u00b7 ");
    byId("tile-events-note").textContent = "clicks \u00b7 likes \u00b7 purchases";
    byId("tile-satisfaction").textContent = fixed(frame.satisfaction);
    byId("tile-patience").textContent = fixed(Math.max(0, frame.patience), 1);
    byId("tile-patience-note").textContent = frame.ended ? "the user has left" : `of ${fixed(frames[0].patience, 1)} on arrival`;
    byId("tile-loyalty").textContent = fixed(frame.loyalty);
  }

  // ---- Going from step to step
  function go(step) {
    current = Math.max(0, Math.min(last, step));
    const frame = frames[current];
    showSlate(frame);
    showHistory(frame);
    showTopics(frame);
    showTiles(frame);
    CHARTS.forEach(moveChart);
    byId("slate-heading").textContent = current ? `Slate of step ${frame.step}` : "Slate";
    byId("status").textContent = describeStep(frame);
    byId("slider").value = current;
    byId("slider").setAttribute("aria-valuetext", `step ${frame.step} of ${frames[last].step}`);
    byId("counter").textContent = `step ${frame.step} of ${frames[last].step}`;
    for (const id of ["first", "previous"]) byId(id).setAttribute("aria-disabled", current === 0);
    for (const id of ["next", "last"]) byId(id).setAttribute("aria-disabled", current === last);
  }

  const playing = () => wait.timer !== 0;

  function setPlaying(on) {
    clearTimeout(wait.timer);
    wait.timer = 0;
    document.body.classList.toggle("playing", on);
    byId("play").setAttribute("aria-label", on ? "Pause" : "Play");
    byId("status").setAttribute("aria-live", on ? "off" : "polite");
    if (on) wait.timer = setTimeout(advance, 1000 / Number(byId("speed").value));
  }

  function advance() {
    go(current + 1);
    setPlaying(current < last);
  }

  function pause() { if (playing()) setPlaying(false); }

  function toggle() {
    if (playing()) return pause();
    if (current === last) go(0);
    setPlaying(last > 0);
  }

  const MOVES = { first: () => 0, previous: () => current - 1, next: () => current + 1, last: () => last };
  const KEYS = { Home: "first", ArrowLeft: "previous", ArrowRight: "next", End: "last" };
  for (const [id, target] of Object.entries(MOVES)) byId(id).addEventListener("click", () => { pause(); go(target()); });
  byId("play").addEventListener("click", toggle);
  byId("speed").addEventListener("change", () => { if (playing()) setPlaying(true); });
  byId("slider").addEventListener("input", () => { pause(); go(Number(byId("slider").value)); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return;
    if (event.key === " ") {
      if (event.target.closest("button")) return; // a focused button is pressed by the browser itself
      toggle();
    } else if (event.key in KEYS) {
      pause();
      go(MOVES[KEYS[event.key]]());
    } else return;
    event.preventDefault();
  });

  byId("slider").max = last;
  byId("history").classList.toggle("rows", frames.every((frame) => frame.slate.length < 3));
  byId("about").textContent = session.about;
  byId("footer").textContent = session.source;
  byId("topics-note").textContent =
    session.topics.length < session.num_topics ? `${session.topics.length} of ${session.num_topics} topics` : "";
  const redraw = () => { CHARTS.forEach(drawChart); CHARTS.forEach(moveChart); };
  CHARTS.forEach(drawChart);
  go(0);
  new ResizeObserver(redraw).observe(byId("charts"));
})();
