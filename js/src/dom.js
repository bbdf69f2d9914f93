/** A DOM element with attributes and children; strings become text, never HTML. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** An icon drawn from one path in a 24 × 24 box, in the colour of the text around it. */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

/** Whole seconds as minutes and seconds: 65.2 → "1:05". */
export function clock(seconds) {
  const whole = Math.floor(Math.abs(seconds));
  return `${seconds < 0 ? "-" : ""}${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Seconds in hundredths; the same sum as in panels/region.py, so that both show the same digits. */
export function hundredths(seconds) {
  return Math.floor(seconds * 100 + 0.5);
}

/** Seconds as a person types them, to a hundredth: 81.4 → "1:21.4", −3 → "-0:03". */
export function finely(seconds) {
  const steps = hundredths(Math.abs(seconds));
  const [whole, part] = [Math.floor(steps / 100), String(steps % 100).padStart(2, "0").replace(/0+$/, "")];
  return `${seconds < 0 ? "-" : ""}${clock(whole)}${part && `.${part}`}`;
}
