import WaveSurfer from "wavesurfer.js";
import { onThemeChange, waveColours } from "./colours.js";
import { clock, element, icon } from "./dom.js";
import { Sound } from "./sound.js";

const PLAY = "M8 5v14l11-7z";
const PAUSE = "M7 5h4v14H7zM13 5h4v14h-4z";
const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
const STARTED = "acestep_nb:started"; // told to every player on the page, whichever widget it is in
const SILENCE =
  "The kernel does not answer: it is busy or was restarted. Wait for it, or run this cell again.";

/** A number from 0 to 1 as a chip with a bar. */
function score(label, value) {
  const bar = element("meter", { min: "0", max: "1", value: String(value), "aria-label": label });
  return element("span", { class: "ace-chip ace-score" }, label, bar, value.toFixed(2));
}

/** One take: its name, waveform and buttons, and the sound once it has been asked for. */
export class Card {
  constructor(model, data) {
    this.model = model;
    this.id = data.id;
    this.sound = new Sound(model, data.id);
    this.build(data);
    this.draw(data);
    this.update(data);
    this.listen();
  }

  build(data) {
    this.duration = data.duration;
    this.title = element("b");
    this.time = element("span", { class: "ace-muted ace-numbers" });
    this.star = element("button", { class: "ace-quiet ace-star", type: "button", onclick: () => this.toggleStar() });
    this.caption = element("p", { class: "ace-caption ace-muted" });
    this.button = element("button", { class: "ace-play", type: "button", onclick: () => this.toggle() });
    this.wave = element("div", { class: "ace-wave", role: "slider", tabindex: "0", "aria-valuemin": "0" });
    this.scores = element("div", { class: "ace-facts ace-scores" });
    this.facts = element("div", { class: "ace-facts" }, ...data.facts.map((fact) => element("span", { class: "ace-chip" }, fact)));
    this.actions = element("div", { class: "ace-actions" }, ...data.actions.map((action) => this.action(data, ...action)));
    if (data.menu) this.actions.append(this.menu(data, ...data.menu));
    this.message = element("p", { class: "ace-message", role: "status" });
    this.audio = element("audio", { preload: "auto" });
    const head = element("header", {}, this.title, this.time, element("span", { class: "ace-grow" }), this.star);
    const row = element("div", { class: "ace-wave-row" }, this.button, this.wave);
    this.node = element("article", { class: "ace-card" }, head, this.caption, row, this.scores, this.facts, this.actions, this.message);
    this.node.append(this.audio);
  }

  draw({ peaks, duration }) {
    const bytes = new Uint8Array(peaks.buffer, peaks.byteOffset, peaks.byteLength);
    this.surfer = WaveSurfer.create({
      container: this.wave,
      media: this.audio,
      peaks: [Float32Array.from(bytes, (value) => value / 255)],
      duration,
      height: 44,
      barWidth: 2,
      barGap: 1,
      barRadius: 1,
      barMinHeight: 1,
      cursorWidth: 1.5,
      dragToSeek: true,
      hideScrollbar: true,
    });
    this.wave.setAttribute("aria-valuemax", String(duration));
  }

  /** Show what may change about a take; its waveform, sound and facts never do. */
  update(data) {
    this.data = data;
    this.node.setAttribute("aria-label", data.title);
    this.wave.setAttribute("aria-label", `Position in ${data.title}`);
    this.title.textContent = data.title;
    this.caption.textContent = this.caption.title = data.caption;
    this.caption.hidden = !data.caption;
    this.star.hidden = data.starred === null;
    this.star.textContent = data.starred ? "★ Starred" : "☆ Star";
    this.star.setAttribute("aria-pressed", String(Boolean(data.starred)));
    this.scores.replaceChildren(...data.scores.map(([label, value]) => score(label, value)));
    this.node.classList.toggle("ace-selected", data.id === this.model.get("selected"));
    this.say(data.problem);
    this.button.disabled = Boolean(data.problem);
    this.showPosition();
    this.showState();
  }

  action({ title, id }, kind, label, help) {
    const told = { class: "ace-quiet", type: "button", title: help, "aria-label": `${label}: ${title}` };
    return element("button", { ...told, onclick: () => this.model.send({ kind, id }) }, label);
  }

  /** A list of places to send the take to; choosing one sends it and puts the list back. */
  menu({ title, id }, label, places) {
    const options = [["", label], ...places].map(([value, text]) => element("option", { value }, text));
    const list = element("select", { class: "ace-quiet ace-menu", "aria-label": `${label} ${title}` }, ...options);
    list.addEventListener("change", () => {
      if (list.value) this.model.send({ kind: "send", id, to: list.value });
      list.value = "";
    });
    return list;
  }

  listen() {
    this.audio.addEventListener("play", () => {
      document.dispatchEvent(new CustomEvent(STARTED, { detail: this }));
    });
    for (const event of ["play", "pause", "ended"]) this.audio.addEventListener(event, () => this.showState());
    this.surfer.on("timeupdate", () => this.showPosition());
    this.surfer.on("seeking", () => this.showPosition());
    this.wave.addEventListener("keydown", (event) => this.key(event));
    this.wave.addEventListener("click", () => this.select());
    this.otherStarted = ({ detail }) => {
      if (detail !== this) this.audio.pause();
    };
    document.addEventListener(STARTED, this.otherStarted);
    this.stopTheme = onThemeChange(() => this.paint());
  }

  /** Take the theme's colours; call it once the card is on the page, where the variables are known. */
  paint() {
    if (!this.node.isConnected) return;
    const colours = waveColours(this.node);
    this.touched = this.audio.currentTime > 0;
    this.surfer.setOptions(this.touched ? colours : { ...colours, cursorColor: "transparent" });
  }

  async toggle() {
    if (!this.audio.paused) return this.audio.pause();
    this.select();
    this.say("");
    this.busy(true);
    try {
      const url = await this.sound.ask(() => this.say(SILENCE));
      if (this.audio.src !== url) this.audio.src = url;
      this.say("");
      await this.audio.play();
    } catch (error) {
      this.say(error.name === "NotAllowedError" ? "The sound is here: press play once more." : error.message);
    } finally {
      this.busy(false);
    }
  }

  /** Tell the kernel which take the person is at. */
  select() {
    if (this.model.get("selected") !== this.id) this.model.send({ kind: "select", id: this.id });
  }

  toggleStar() {
    this.model.send({ kind: "star", id: this.id, on: !this.data.starred });
  }

  key(event) {
    const seconds = { Home: 0, End: this.duration }[event.key] ?? this.audio.currentTime + STEPS[event.key];
    if (Number.isNaN(seconds)) return;
    event.preventDefault();
    event.stopPropagation();
    this.surfer.setTime(Math.min(Math.max(seconds, 0), this.duration));
    this.showPosition();
  }

  showPosition() {
    const now = this.audio.currentTime;
    const length = clock(this.duration);
    if (now > 0 && !this.touched) this.paint();
    this.time.textContent = now > 0 ? `${clock(now)} / ${length}` : length;
    this.wave.setAttribute("aria-valuenow", now.toFixed(1));
    this.wave.setAttribute("aria-valuetext", `${clock(now)} of ${length}`);
  }

  showState() {
    const playing = !this.audio.paused && !this.audio.ended;
    this.button.replaceChildren(icon(playing ? PAUSE : PLAY));
    this.button.title = playing ? "Pause" : "Play";
    this.button.setAttribute("aria-label", `${this.button.title} ${this.data.title}`);
    this.node.classList.toggle("ace-playing", playing);
  }

  busy(on) {
    this.button.classList.toggle("ace-busy", on);
    this.button.setAttribute("aria-busy", String(on));
  }

  say(text) {
    this.message.textContent = text;
  }

  destroy() {
    document.removeEventListener(STARTED, this.otherStarted);
    this.stopTheme();
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.surfer.destroy();
    this.sound.release();
    this.node.remove();
  }
}
