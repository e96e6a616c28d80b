// The state of the user at a step, and going from step to step.

let current = 0;
let timer = 0;

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

// ---- Words
function describeStep(frame) {
  if (!frame.slate.length) return `User ${session.user} has just arrived. Nothing has been shown yet.`;
  const answered = frame.slate
    .filter((shown) => shown.events)
    .map((shown) => `item ${shown.item} ${named(shown.events, 2).join(", ")}`);
  const happened = answered.length ? answered.join("; ") : "no click";
  const end = current === last ? ` ${session.end}` : "";
  return `Step ${frame.step}: ${happened}. Reward ${fixed(frame.reward)}, expected ${fixed(frame.expected_reward)}.${end}`;
}

function showTiles(frame) {
  byId("tile-reward").textContent = fixed(frame.total_reward);
  byId("tile-reward-note").textContent = `expected ${fixed(frame.total_expected)}`;
  byId("tile-step").textContent = current ? signed(frame.reward) : "\u2013";
  byId("tile-step-note").textContent = current
    ? `expected ${fixed(frame.expected_reward)}`
    : "nothing shown yet";
  byId("tile-events").textContent = answersSoFar.map((counts) => counts[current]).join(" \u00b7 ");
  byId("tile-events-note").textContent = "clicks \u00b7 likes \u00b7 purchases";
  byId("tile-satisfaction").textContent = fixed(frame.satisfaction);
  byId("tile-patience").textContent = fixed(Math.max(0, frame.patience), 1);
  byId("tile-patience-note").textContent = frame.ended
    ? "the user has left"
    : frame.back_after
      ? `back after ${frame.back_after} hours`
      : `of ${fixed(frames[0].patience, 1)} on arrival`;
  byId("tile-taste-match").textContent = fixed(frame.taste_match);
}

// ---- Going from step to step
function go(step) {
  current = Math.max(0, Math.min(last, step));
  const frame = frames[current];
  showSlate(frame);
  showHistory(frame);
  showTopics(frame);
  showTiles(frame);
  CHARTS.forEach((chart) => moveChart(chart, current));
  byId("slate-heading").textContent = current ? `Slate of step ${frame.step}` : "Slate";
  byId("status").textContent = describeStep(frame);
  byId("slider").value = current;
  byId("slider").setAttribute("aria-valuetext", `step ${frame.step} of ${frames[last].step}`);
  byId("counter").textContent = `step ${frame.step} of ${frames[last].step}`;
  for (const id of ["first", "previous"]) byId(id).setAttribute("aria-disabled", current === 0);
  for (const id of ["next", "last"]) byId(id).setAttribute("aria-disabled", current === last);
}

const playing = () => timer !== 0;

function setPlaying(on) {
  clearTimeout(timer);
  timer = 0;
  document.body.classList.toggle("playing", on);
  byId("play").setAttribute("aria-label", on ? "Pause" : "Play");
  byId("status").setAttribute("aria-live", on ? "off" : "polite");
  if (on) timer = setTimeout(advance, 1000 / Number(byId("speed").value));
}

function advance() {
  go(current + 1);
  setPlaying(current < last);
}

function pause() {
  if (playing()) setPlaying(false);
}

function toggle() {
  if (playing()) return pause();
  if (current === last) go(0);
  setPlaying(last > 0);
}

const MOVES = { first: () => 0, previous: () => current - 1, next: () => current + 1, last: () => last };
const KEYS = { Home: "first", ArrowLeft: "previous", ArrowRight: "next", End: "last" };
for (const [id, target] of Object.entries(MOVES))
  byId(id).addEventListener("click", () => {
    pause();
    go(target());
  });
byId("play").addEventListener("click", toggle);
byId("speed").addEventListener("change", () => {
  if (playing()) setPlaying(true);
});
byId("slider").addEventListener("input", () => {
  pause();
  go(Number(byId("slider").value));
});
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
byId("slate-panel").style.setProperty("--rows", Math.max(...frames.map((frame) => frame.slate.length)));
byId("history").classList.toggle(
  "rows",
  frames.every((frame) => frame.slate.length < 3),
);
byId("about").textContent = session.about;
byId("footer").textContent = session.source;
byId("topics-note").textContent =
  session.topics.length < session.num_topics
    ? `${session.topics.length} of ${session.num_topics} topics`
    : "";
makeCharts((step) => {
  pause();
  go(step);
});
CHARTS.forEach(drawChart);
go(0);
new ResizeObserver(() => {
  CHARTS.forEach(drawChart);
  CHARTS.forEach((chart) => moveChart(chart, current));
}).observe(byId("charts"));
