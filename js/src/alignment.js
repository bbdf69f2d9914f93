import { onThemeChange } from "./colours.js";
import { clock, element, finely } from "./dom.js";
import { ownKeys } from "./keys.js";
import { speaker } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** One line of the lyrics: its words, the map of its tokens, and its score. */
class Line {
  constructor(model, data, number) {
    const t = speaker(model);
    const told = { text: data.text, start: finely(data.start), end: finely(data.end), score: data.score?.toFixed(2) };
    const label = t(data.score === null ? "{text}: {start} to {end}" : "{text}: {start} to {end}, score {score}", told);
    const choose = () => {
      model.set("chosen_line", model.get("chosen_line") === number ? null : number);
      model.save_changes();
    };
    this.data = data;
    this.canvas = element("canvas");
    const words = element("span", { class: "ace-map-words", dir: "auto" }, data.text);
    const picture = element("span", { class: "ace-map-picture" }, this.canvas, curve(data.path));
    this.node = element("button", { class: "ace-map-line", type: "button", "aria-label": label, onclick: choose }, words, picture, score(data, t));
  }

  mark(on) {
    this.node.setAttribute("aria-pressed", String(on));
  }

  /** Draw the energy in the theme's colour: a canvas cannot read CSS variables itself. */
  paint() {
    const { rows, energy } = this.data;
    const columns = energy.byteLength / rows;
    const bytes = new Uint8Array(energy.buffer, energy.byteOffset, energy.byteLength);
    const image = new ImageData(columns, rows);
    bytes.forEach((value, cell) => {
      image.data[4 * cell + 3] = value;
    });
    Object.assign(this.canvas, { width: columns, height: rows });
    const context = this.canvas.getContext("2d");
    context.putImageData(image, 0, 0);
    context.globalCompositeOperation = "source-in";
    context.fillStyle = getComputedStyle(this.node).getPropertyValue("--ace-accent").trim();
    context.fillRect(0, 0, columns, rows);
  }
}

function curve(points) {
  const svg = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "polyline");
  svg.setAttribute("viewBox", "0 0 1 1");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("points", points.map((point) => point.join(",")).join(" "));
  svg.append(line);
  return svg;
}

function score(data, t) {
  const cell = element("span", { class: "ace-map-score ace-numbers" });
  if (data.score === null) return cell;
  const filled = element("i");
  filled.style.width = `${100 * data.score}%`;
  cell.append(element("span", { class: "ace-map-bar" }, filled), data.score.toFixed(2));
  if (data.weak) {
    cell.classList.add("ace-map-weak");
    cell.append(element("b", {}, t("weak")));
  }
  return cell;
}

function axis(seconds, t) {
  const ticks = TICKS.map((share) => {
    const tick = element("span", {}, clock(share * seconds));
    tick.style.left = `${100 * share}%`;
    return tick;
  });
  const times = element("span", { class: "ace-map-times ace-numbers", title: t("seconds") }, ...ticks);
  return element("div", { class: "ace-map-axis ace-muted", "aria-hidden": "true" }, times, element("span", {}, t("score")));
}

/** The lines that the kernel lists; the one that is pressed becomes the model's `chosen_line`. */
function render({ model, el }) {
  let lines = [];
  const list = element("div", { class: "ace-map-list" });
  const note = element("p", { class: "ace-map-note ace-muted", role: "status" });
  el.classList.add("ace", "ace-map");
  el.append(list, note);

  const draw = () => {
    lines = model.get("lines").map((data, number) => new Line(model, data, number));
    list.replaceChildren(...lines.map(({ node }) => node));
    if (lines.length) list.append(axis(model.get("seconds"), speaker(model)));
    note.textContent = model.get("note");
    mark();
    requestAnimationFrame(paint);
  };
  const mark = () => lines.forEach((line, number) => line.mark(number === model.get("chosen_line")));
  const paint = () => el.isConnected && lines.forEach((line) => line.paint());

  const listeners = { "change:lines": draw, "change:note": draw, "change:chosen_line": mark };
  for (const [name, react] of Object.entries(listeners)) model.on(name, react);
  draw();
  const stopTheme = onThemeChange(paint);
  const releaseKeys = ownKeys(el);
  return () => {
    releaseKeys();
    stopTheme();
    for (const [name, react] of Object.entries(listeners)) model.off(name, react);
  };
}

export default { render };
