// The session that this page replays, and how its parts are made. Everything shown comes from the JSON in the
// page, and is written as text, never as markup.

const session = JSON.parse(document.getElementById("session").textContent);
const frames = session.frames;
const last = frames.length - 1;
const EVENTS = [
  [1, "click", "clicked"],
  [2, "like", "liked"],
  [4, "purchase", "bought"],
];
const byId = (id) => document.getElementById(id);
const fixed = (value, digits = 2) => value.toFixed(digits).replace("-", "\u2212");
const signed = (value) => (value < 0 ? "" : "+") + fixed(value);
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function element(parent, tag, properties = {}, text = "") {
  const made = document.createElement(tag);
  Object.assign(made, properties);
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

const named = (events, word) => EVENTS.filter(([bit]) => events & bit).map((event) => event[word]);

// For each kind of event: how many answers of it each step brought, and all steps up to it.
const answers = EVENTS.map(([bit]) =>
  frames.map((frame) => frame.slate.filter((shown) => shown.events & bit).length),
);
const answersSoFar = answers.map((counts) => {
  let total = 0;
  return counts.map((count) => (total += count));
});
const describeAnswers = (step) =>
  EVENTS.map(([, kind], index) => plural(answersSoFar[index][step], kind)).join(", ");
