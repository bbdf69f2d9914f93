import { Deck } from "./deck.js";
import { clock, element, icon } from "./dom.js";
import { ownKeys } from "./keys.js";
import { SILENCE, reach } from "./reach.js";
import { Sound } from "./sound.js";
import { speaker } from "./words.js";

const PLAY = "M8 5v14l11-7z";
const PAUSE = "M7 5h4v14H7zM13 5h4v14h-4z";
const STARTED = "acestep_nb:started"; // told to every player on the page, whichever widget it is in
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 };

/** The kernel's tracks below each other, a button and a playhead for all of them. */
class Comparison {
  constructor(model, el) {
    this.model = model;
    this.t = speaker(model);
    this.tracks = model.get("tracks");
    this.before = 0;
    this.deck = new Deck(this.tracks, (number) => this.bytes(number), () => this.show());
    this.build(el);
    this.listen(el);
    this.level();
    this.take(model.get("heard"));
  }

  build(el) {
    const { t } = this;
    this.button = element("button", { class: "ace-play", type: "button", onclick: () => this.toggle() });
    this.time = element("span", { class: "ace-muted ace-numbers" });
    this.slider = element("input", { type: "range", min: "0", max: String(this.deck.length), step: "0.01", "aria-label": t("Position") });
    this.matched = element("input", { type: "checkbox" });
    const match = element("label", { class: "ace-muted" }, this.matched, ` ${t("Same loudness")}`);
    this.differ = element("button", { class: "ace-quiet", type: "button", onclick: () => this.tell() }, t("What differs"));
    this.rows = this.tracks.map((track, number) => this.row(track, number));
    this.message = element("p", { class: "ace-message", role: "status" });
    this.keys = element("p", { class: "ace-muted ace-compare-keys" }, this.help());
    const head = element("header", {}, this.button, this.time, this.slider, match);
    if (this.tellable) head.append(this.differ);
    el.classList.add("ace", "ace-compare");
    el.setAttribute("tabindex", "-1");
    el.append(head, ...this.rows.map(({ node }) => node), this.message, this.keys);
  }

  /** Whether there are two takes, which can tell what one was made with otherwise than the other. */
  get tellable() {
    return this.tracks.filter(({ made }) => made).length > 1;
  }

  /** The keys that do something here. */
  help() {
    const { t } = this;
    const count = this.tracks.length;
    const keys = [
      count > 1 && t("1–{count} switch", { count }),
      t("space plays"),
      t("← → move"),
      ...(this.tracks.some(({ starred }) => starred !== null) ? [t("s star"), t("x reject")] : []),
      this.tellable && t("d what differs"),
    ];
    const whole = keys.filter(Boolean).map((key) => key.replaceAll(" ", "\u00a0")); // a line ends between keys
    return t("Keys: {keys}", { keys: whole.join(" · ") });
  }

  row({ title, duration, peaks, problem }, number) {
    const { t } = this;
    const key = number + 1;
    const choose = element("button", { class: "ace-compare-choose", type: "button" }, element("b", {}, String(key)), element("span", { dir: "auto" }, title));
    choose.setAttribute("aria-label", t("Hear {title} (key {key})", { title, key }));
    choose.disabled = Boolean(problem);
    choose.addEventListener("click", () => this.choose(number));
    const head = element("i");
    const wave = element("div", { class: "ace-compare-wave" }, drawn(peaks), head);
    wave.style.width = `${this.deck.length ? (100 * duration) / this.deck.length : 100}%`;
    wave.addEventListener("click", (event) => {
      const box = wave.getBoundingClientRect();
      this.deck.seek(((event.clientX - box.left) / box.width) * duration);
      this.choose(number);
    });
    const star = element("button", { class: "ace-quiet", type: "button", onclick: () => this.mark("starred", number) });
    const reject = element("button", { class: "ace-quiet", type: "button", onclick: () => this.mark("rejected", number) });
    const waves = element("div", { class: "ace-compare-room" }, problem ? element("p", { class: "ace-message" }, problem) : wave);
    const node = element("div", { class: "ace-compare-track" }, choose, waves, element("div", { class: "ace-compare-marks" }, star, reject));
    return { node, choose, star, reject, head };
  }

  listen(el) {
    const { model } = this;
    this.handlers = {
      "change:tracks": () => this.renew(),
      "change:heard": () => this.take(model.get("heard")),
      "change:matched": () => this.level(),
      "change:difference": () => this.say(model.get("difference")),
    };
    for (const [name, handler] of Object.entries(this.handlers)) model.on(name, handler);
    el.addEventListener("keydown", (event) => this.key(event));
    el.addEventListener("keyup", (event) => plays(event) && event.preventDefault()); // a button would be pressed
    this.slider.addEventListener("input", () => this.deck.seek(Number(this.slider.value)));
    this.matched.addEventListener("change", () => this.set("matched", this.matched.checked));
    this.otherStarted = ({ detail }) => detail !== this && this.deck.pause();
    document.addEventListener(STARTED, this.otherStarted);
    this.releaseKeys = ownKeys(el);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const number = Number(event.key) - 1;
    const heard = this.model.get("heard");
    if (this.tracks[number]) this.choose(number);
    else if (plays(event)) this.toggle();
    else if (event.key in STEPS && event.target !== this.slider) this.deck.seek(this.deck.now + STEPS[event.key]);
    else if (event.key === "s") this.mark("starred", heard);
    else if (event.key === "x") this.mark("rejected", heard);
    else if (event.key === "d" && this.tellable) this.tell();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  set(name, value) {
    this.model.set(name, value);
    this.reach(() => this.model.save_changes());
  }

  reach(act) {
    reach(act, () => this.say(this.t(SILENCE)));
  }

  choose(number) {
    if (!this.tracks[number].problem) this.set("heard", number);
  }

  take(number) {
    if (number !== this.deck.heard) this.before = this.deck.heard;
    this.deck.choose(number).catch((error) => this.say(error.message));
  }

  async toggle() {
    if (this.deck.playing) return this.deck.pause();
    this.say("");
    this.busy(true);
    try {
      await this.deck.play();
      document.dispatchEvent(new CustomEvent(STARTED, { detail: this }));
    } catch (error) {
      this.say(error.message);
    } finally {
      this.busy(false);
    }
  }

  /** The bytes of a sound, asked from the kernel. */
  async bytes(number) {
    const sound = new Sound(this.model, number);
    const { data } = await sound.request(this.t(SILENCE), (text) => this.say(text));
    this.say("");
    return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  }

  mark(name, id) {
    const on = !this.tracks[id][name];
    if (this.tracks[id][name] !== null) this.reach(() => this.model.send({ kind: name, id, on }));
  }

  tell() {
    const message = { kind: "differ", id: this.model.get("heard"), other: this.before };
    this.reach(() => this.model.send(message));
  }

  level() {
    this.matched.checked = this.model.get("matched");
    this.deck.setLevels(this.tracks.map(({ gain }) => (this.matched.checked ? 10 ** (gain / 20) : 1)));
  }

  renew() {
    this.tracks = this.model.get("tracks");
    this.show();
  }

  show() {
    const { t, deck } = this;
    this.button.replaceChildren(icon(deck.playing ? PAUSE : PLAY));
    this.button.setAttribute("aria-label", t(deck.playing ? "Pause" : "Play"));
    this.rows.forEach(({ node, choose, star, reject }, number) => {
      const { title, starred, rejected } = this.tracks[number];
      node.classList.toggle("ace-selected", number === deck.heard);
      node.classList.toggle("ace-rejected", Boolean(rejected));
      choose.setAttribute("aria-pressed", String(number === deck.heard));
      this.showMark(star, starred, starred ? `★ ${t("Starred")}` : `☆ ${t("Star")}`, title);
      this.showMark(reject, rejected, rejected ? `✕ ${t("Rejected")}` : t("Reject"), title);
    });
    this.showPosition();
    if (deck.playing && !this.frame) this.frame = requestAnimationFrame(() => this.follow());
  }

  showMark(button, on, text, title) {
    button.hidden = on === null;
    button.textContent = text;
    button.setAttribute("aria-pressed", String(Boolean(on)));
    button.setAttribute("aria-label", this.t("{action}: {title}", { action: text, title }));
  }

  follow() {
    this.frame = null;
    this.showPosition();
    if (this.deck.playing) this.frame = requestAnimationFrame(() => this.follow());
  }

  showPosition() {
    const { now, length } = this.deck;
    const [told, whole] = [clock(now), clock(length)];
    this.time.textContent = `${told} / ${whole}`;
    this.slider.value = String(now);
    this.slider.setAttribute("aria-valuetext", this.t("{now} of {length}", { now: told, length: whole }));
    this.rows.forEach(({ head }, number) => {
      head.style.left = `${this.tracks[number].duration ? Math.min((100 * now) / this.tracks[number].duration, 100) : 0}%`;
    });
  }

  busy(on) {
    this.button.classList.toggle("ace-busy", on);
    this.button.setAttribute("aria-busy", String(on));
  }

  say(text) {
    this.message.textContent = text;
  }

  destroy() {
    for (const [name, handler] of Object.entries(this.handlers)) this.model.off(name, handler);
    document.removeEventListener(STARTED, this.otherStarted);
    this.releaseKeys();
    this.deck.close();
  }
}

/** Whether the key is space where it plays: everywhere but on buttons that do something else. */
function plays(event) {
  const { target } = event;
  const other = target.closest("button, input");
  return event.key === " " && (!other || other.matches(".ace-compare-choose, .ace-play"));
}

const SVG = "http://www.w3.org/2000/svg";

/** A waveform as one shape in the colour of the theme. */
function drawn(peaks) {
  const bytes = new Uint8Array(peaks.buffer, peaks.byteOffset, peaks.byteLength);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${bytes.length || 1} 2`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  const bar = (value, place) => `M${place} ${1 - Math.max(value / 255, 0.02)}h.7V${1 + Math.max(value / 255, 0.02)}h-.7z`;
  path.setAttribute("d", Array.from(bytes, bar).join(""));
  svg.append(path);
  return svg;
}

function render({ model, el }) {
  const comparison = new Comparison(model, el);
  return () => comparison.destroy();
}

export default { render };
