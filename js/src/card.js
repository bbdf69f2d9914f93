import WaveSurfer from "wavesurfer.js";
import { onThemeChange, waveColours } from "./colours.js";
import { clock, element } from "./dom.js";
import { Playback } from "./playback.js";
import { SILENCE, reach } from "./reach.js";
import { peaksOf, placeOf } from "./wave.js";

/** A number from 0 to 1 as a chip with a bar. */
function score(label, value) {
  const bar = element("meter", { min: "0", max: "1", value: String(value), "aria-label": label });
  return element("span", { class: "ace-chip ace-score" }, label, bar, value.toFixed(2));
}

/** One take: its name, waveform and buttons, and the sound once it has been asked for. */
export class Card {
  constructor(model, data, t) {
    this.model = model;
    this.t = t;
    this.id = data.id;
    this.playback = new Playback(model, data.id, t, {
      say: (text) => this.say(text),
      changed: (playing) => this.node.classList.toggle("ace-playing", playing),
      started: () => this.select(),
    });
    this.audio = this.playback.audio;
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
    this.wave = element("div", { class: "ace-wave", role: "slider", tabindex: "0", "aria-valuemin": "0" });
    this.scores = element("div", { class: "ace-facts ace-scores" });
    this.facts = element("div", { class: "ace-facts" });
    this.actions = element("div", { class: "ace-actions" }, ...data.actions.map((action) => this.action(data, ...action)));
    if (data.menu) this.actions.append(this.menu(data, ...data.menu));
    this.message = element("p", { class: "ace-message", role: "status" });
    const head = element("header", {}, this.title, this.time, element("span", { class: "ace-grow" }), this.star);
    const row = element("div", { class: "ace-wave-row" }, this.playback.button, this.wave);
    this.node = element("article", { class: "ace-card" }, head, this.caption, row, this.scores, this.facts, this.actions, this.message);
    this.node.append(this.audio);
  }

  draw({ peaks, duration }) {
    this.surfer = WaveSurfer.create({
      container: this.wave,
      media: this.audio,
      peaks: peaksOf({ peaks }),
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

  /** Show what may change about a take; its waveform and sound never do. */
  update(data) {
    this.data = data;
    this.node.setAttribute("aria-label", data.title);
    this.wave.setAttribute("aria-label", this.t("Position in {title}", { title: data.title }));
    this.title.textContent = data.title;
    this.caption.textContent = this.caption.title = data.caption;
    this.caption.hidden = !data.caption;
    this.star.hidden = data.starred === null;
    this.star.textContent = data.starred ? `★ ${this.t("Starred")}` : `☆ ${this.t("Star")}`;
    this.star.setAttribute("aria-pressed", String(Boolean(data.starred)));
    this.facts.replaceChildren(...data.facts.map((fact) => element("span", { class: "ace-chip", dir: "auto" }, fact)));
    this.scores.replaceChildren(...data.scores.map(([label, value]) => score(label, value)));
    this.node.classList.toggle("ace-selected", data.id === this.model.get("selected"));
    this.say(data.problem);
    this.playback.button.disabled = Boolean(data.problem);
    this.playback.title = data.title;
    this.playback.show();
    this.showPosition();
  }

  action({ title, id }, kind, label, help) {
    const told = { class: "ace-quiet", type: "button", title: help, "aria-label": `${label}: ${title}` };
    return element("button", { ...told, onclick: () => this.tell({ kind, id }) }, label);
  }

  /** A list of places to send the take to; choosing one sends it and puts the list back. */
  menu({ title, id }, label, places) {
    const options = [["", label], ...places].map(([value, text]) => element("option", { value }, text));
    const list = element("select", { class: "ace-quiet ace-menu", "aria-label": `${label} ${title}` }, ...options);
    list.addEventListener("change", () => {
      if (list.value) this.tell({ kind: "send", id, to: list.value });
      list.value = "";
    });
    return list;
  }

  listen() {
    this.surfer.on("timeupdate", () => this.showPosition());
    this.surfer.on("seeking", () => this.showPosition());
    this.wave.addEventListener("keydown", (event) => this.key(event));
    this.wave.addEventListener("click", () => this.select());
    this.stopTheme = onThemeChange(() => this.paint());
  }

  /** Take the theme's colours; call it once the card is on the page, where the variables are known. */
  paint() {
    if (!this.node.isConnected) return;
    const colours = waveColours(this.node);
    this.touched = this.audio.currentTime > 0;
    this.surfer.setOptions(this.touched ? colours : { ...colours, cursorColor: "transparent" });
  }

  /** Tell the kernel which take the person is at. */
  select() {
    if (this.model.get("selected") !== this.id) this.tell({ kind: "select", id: this.id });
  }

  toggleStar() {
    this.tell({ kind: "star", id: this.id, on: !this.data.starred });
  }

  tell(message) {
    reach(() => this.model.send(message), () => this.say(this.t(SILENCE)));
  }

  key(event) {
    const seconds = placeOf(event, this.audio.currentTime, this.duration);
    if (seconds === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.surfer.setTime(seconds);
    this.showPosition();
  }

  showPosition() {
    const now = this.audio.currentTime;
    const length = clock(this.duration);
    if (now > 0 && !this.touched) this.paint();
    this.time.textContent = now > 0 ? `${clock(now)} / ${length}` : length;
    this.wave.setAttribute("aria-valuenow", now.toFixed(1));
    this.wave.setAttribute("aria-valuetext", this.t("{now} of {length}", { now: clock(now), length }));
  }

  say(text) {
    this.message.textContent = text;
  }

  destroy() {
    this.stopTheme();
    this.playback.destroy();
    this.surfer.destroy();
    this.node.remove();
  }
}
