import { element, finely } from "./dom.js";

/** The lines of the lyrics in their places below a waveform; the one that is sung stands out, pressing one picks it. */
export class Lines {
  constructor(t, pick) {
    this.t = t;
    this.pick = pick;
    this.lines = [];
    this.strip = element("div", { class: "ace-sung-strip" });
    this.now = element("p", { class: "ace-sung-now", dir: "auto" });
    this.node = element("div", { class: "ace-sung" }, element("div", { class: "ace-sung-view" }, this.strip), this.now);
  }

  show(lines, duration) {
    this.lines = lines;
    this.node.hidden = !lines.length;
    this.buttons = lines.map((line) => this.button(line, duration));
    this.strip.replaceChildren(...this.buttons);
  }

  button(line, duration) {
    const { text, start, end, score } = line;
    const told = score === null ? "" : `, ${score.toFixed(2)}`;
    const label = this.t("{text}: {start} to {end}", { text, start: finely(start), end: finely(end) }) + told;
    const button = element("button", { class: "ace-sung-line", type: "button", title: label, "aria-label": label, dir: "auto", onclick: () => this.pick(line) }, text);
    button.style.left = `${(100 * start) / duration}%`;
    button.style.width = `${(100 * Math.max(end - start, 0)) / duration}%`;
    button.classList.toggle("ace-sung-weak", line.weak);
    if (score !== null) button.style.setProperty("--ace-score", String(score));
    return button;
  }

  /** Let the line that is sung at this second stand out. */
  at(now) {
    const index = this.lines.findLastIndex(({ start, end }) => start <= now && now < end);
    if (index === this.current) return;
    this.current = index;
    this.buttons?.forEach((button, i) => button.toggleAttribute("data-now", i === index));
    this.now.textContent = this.lines[index]?.text ?? "";
  }

  /** Show which lines lie in the region. */
  mark(region) {
    this.lines.forEach(({ start, end }, i) => {
      const inside = region && start >= region[0] - 0.01 && end <= region[1] + 0.01;
      this.buttons[i].setAttribute("aria-pressed", String(Boolean(inside)));
    });
  }

  magnify(factor) {
    this.strip.style.width = `${100 * factor}%`;
  }

  scroll(pixels) {
    this.strip.style.transform = `translateX(${-pixels}px)`;
  }
}
