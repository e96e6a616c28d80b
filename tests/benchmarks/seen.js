// What the page of `recsim-env watch` shows at this moment, as a person reads it.
const texts = (root, selector) => [...root.querySelectorAll(selector)].map((found) => found.innerText.trim());
const rows = (id, selector) =>
  [...document.querySelectorAll(`#${id} tbody tr`)].map((row) => texts(row, selector));
return {
  slate: rows("slate", ".item, .topic, .number, .chance > :first-child, .badge"),
  topics: rows("topics", "th, .number"),
  history: texts(document, "#history li").map((text) => text.split("\n")[0].trim()),
  tiles: texts(document, ".tile dt + dd"),
  status: document.getElementById("status").innerText,
};
