// The texts and controls that reach out of their panel, or panels out of the window, and overlapping neighbours.
const wrong = [];
const root = document.documentElement;
if (root.scrollWidth > root.clientWidth) wrong.push(`the page is ${root.scrollWidth} wide`);
for (const panel of document.querySelectorAll(".panel")) {
  const frame = panel.getBoundingClientRect();
  if (frame.left < 0 || frame.right > root.clientWidth + 0.5)
    wrong.push(`panel ${panel.id || panel.innerText}`);
  for (const part of panel.querySelectorAll(
    "td, th, li, dd, dt, h2, button, input, select, output, .badge, .bar, text",
  )) {
    if (!part.checkVisibility() || part.closest(".visually-hidden")) continue;
    const box = part.getBoundingClientRect();
    if (box.left < frame.left - 0.5 || box.right > frame.right + 0.5)
      wrong.push(`${part.tagName} ${part.className.baseVal ?? part.className} "${part.textContent}"`);
  }
}
for (const row of document.querySelectorAll(".badges, .buttons")) {
  const boxes = [...row.children].map((part) => part.getBoundingClientRect());
  boxes.slice(1).forEach((box, i) => {
    if (box.left < boxes[i].right - 0.5 && box.top < boxes[i].bottom - 0.5)
      wrong.push(`${row.textContent} overlap`);
  });
}
return wrong;
