import { element } from "./dom.js";
import { barAt } from "./snap.js";

/** A ruler of bars below a waveform: pressing one picks it. The keyboard has a key of the waveform for the same. */
export class Bars {
  constructor(t, pick) {
    this.strip = element("div", { class: "ace-bars-strip", title: t("Press a bar for its region") });
    this.node = element("div", { class: "ace-bars", "aria-hidden": "true" }, this.strip);
    this.strip.addEventListener("click", (event) => pick(this.at(event)));
  }

  /** `bar` is how long one lasts in seconds, 0 when nobody knows. */
  show(bar, duration) {
    Object.assign(this, { bar, duration });
    this.node.hidden = !bar;
    if (bar) this.strip.style.backgroundSize = `${(100 * bar) / duration}% 100%`;
  }

  at({ clientX }) {
    const { left, width } = this.strip.getBoundingClientRect();
    return barAt(((clientX - left) / width) * this.duration, this.bar, this.duration);
  }

  magnify(factor) {
    this.strip.style.width = `${100 * factor}%`;
  }

  scroll(pixels) {
    this.strip.style.transform = `translateX(${-pixels}px)`;
  }
}
