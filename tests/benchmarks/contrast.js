// The visible texts of a page whose contrast with what lies behind them is below arguments[0] to 1 (WCAG 2.1).
const parse = (text) => {
  const numbers = text.match(/[\d.]+(e-?\d+)?/g).map(Number);
  const scale = text.startsWith("color(") ? 255 : 1;
  const [red, green, blue, alpha = 1] = numbers;
  return { rgb: [red * scale, green * scale, blue * scale], alpha };
};
const over = (top, below) => top.rgb.map((value, i) => top.alpha * value + (1 - top.alpha) * below[i]);
const behind = (element) => {
  if (!element) return parse(getComputedStyle(document.body).backgroundColor).rgb;
  const own = parse(getComputedStyle(element).backgroundColor);
  return own.alpha === 1 ? own.rgb : over(own, behind(element.parentElement));
};
const luminance = (rgb) => {
  const [r, g, b] = rgb
    .map((value) => value / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const faint = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.data.trim() || !element.checkVisibility() || element.closest("script, option")) continue;
  const style = getComputedStyle(element);
  const back = behind(element);
  const ink = over(parse(element.closest("svg") ? style.fill : style.color), back);
  const [dark, light] = [luminance(ink), luminance(back)].sort((a, b) => a - b);
  const ratio = (light + 0.05) / (dark + 0.05);
  if (ratio < arguments[0]) faint.push(`${node.data.trim()}: ${ratio.toFixed(2)}`);
}
return faint;
