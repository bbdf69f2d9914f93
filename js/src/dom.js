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

/** Seconds as minutes and seconds: 65.2 → "1:05", or with so many places behind the point. */
export function clock(seconds, places = 0) {
  const unit = 10 ** places;
  const steps = places ? Math.round(Math.abs(seconds) * unit) : Math.floor(Math.abs(seconds));
  const rest = ((steps / unit) % 60).toFixed(places).padStart(places ? places + 3 : 2, "0");
  return `${seconds < 0 ? "-" : ""}${Math.floor(steps / unit / 60)}:${rest}`;
}
