import WaveSurfer from "wavesurfer.js";
import Regions from "wavesurfer.js/dist/plugins/regions.esm.js";
import { Bars } from "./bars.js";
import { onThemeChange, waveColours } from "./colours.js";
import { clock, element, finely, hundredths } from "./dom.js";
import { Lines } from "./lines.js";
import { Playback } from "./playback.js";
import { SILENCE, reach } from "./reach.js";
import { barAt, snapped } from "./snap.js";
import { peaksOf, placeOf } from "./wave.js";

const SHORTEST = 0.05; // seconds that a region lasts at least
const NEAREST = 32; // times that the waveform can be magnified
const HEIGHT = 88;

/** The waveform of one sound with its region: drag to draw one, drag it or its ends, loop it, magnify. */
export class Stage {
  constructor(model, data, t) {
    this.model = model;
    this.t = t;
    this.data = data;
    this.playback = new Playback(model, data.id, t, {
      say: (text) => (this.message.textContent = text),
      changed: () => {},
      started: () => this.enterLoop(),
    });
    this.audio = this.playback.audio;
    this.playback.title = data.title;
    this.lines = new Lines(t, (line) => this.take([line.start, line.end]));
    this.bars = new Bars(t, (region) => this.take(region));
    this.build();
    this.draw();
    this.listen();
    this.playback.button.disabled = Boolean(data.problem);
    this.message.textContent = data.problem;
    this.playback.show();
    this.showLines();
    this.showRegion();
    this.showPosition();
  }

  build() {
    const { t, data } = this;
    this.time = element("span", { class: "ace-muted ace-numbers" });
    this.told = element("span", { class: "ace-chip ace-region-told ace-numbers" });
    this.loop = element("button", { class: "ace-quiet", type: "button", "aria-pressed": "false", onclick: () => this.toggleLoop() }, t("Loop"));
    const snaps = [["off", t("no snapping")], ["line", t("to lines")], ["bar", t("to bars")]];
    this.snap = element("select", { class: "ace-quiet", "aria-label": t("Snap the region") }, ...snaps.map(([value, text]) => element("option", { value }, text)));
    this.zoom = element("input", { type: "range", min: "0", max: String(Math.log2(NEAREST)), step: "0.25", value: "0" });
    this.wave = element("div", { class: "ace-wave", role: "slider", tabindex: "0", "aria-valuemin": "0", "aria-valuemax": String(data.duration), "aria-label": this.help(data) });
    this.message = element("p", { class: "ace-message", role: "status" });
    const head = element("header", {}, this.playback.button, element("b", { dir: "auto" }, data.title), this.time, this.told, element("span", { class: "ace-grow" }), this.loop, this.snap, element("label", { class: "ace-muted" }, t("Magnify"), this.zoom));
    this.node = element("section", { class: "ace-stage", "aria-label": data.title }, head, this.wave, this.bars.node, this.lines.node, this.message, this.audio);
  }

  help({ bar, title }) {
    return bar
      ? this.t("Position in {title}; [ and ] set the ends of the region, b takes the bar", { title })
      : this.t("Position in {title}; [ and ] set the ends of the region", { title });
  }

  draw() {
    const { data } = this;
    this.regions = Regions.create();
    this.surfer = WaveSurfer.create({
      container: this.wave,
      media: this.audio,
      peaks: peaksOf(data),
      duration: data.duration,
      height: HEIGHT,
      barWidth: 2,
      barGap: 1,
      barRadius: 1,
      barMinHeight: 1,
      cursorWidth: 1.5,
      hideScrollbar: false,
      plugins: [this.regions],
    });
  }

  listen() {
    this.surfer.on("timeupdate", () => this.follow());
    this.surfer.on("seeking", () => this.showPosition());
    this.audio.addEventListener("ended", () => this.again());
    this.surfer.on("scroll", () => [this.lines, this.bars].forEach((strip) => strip.scroll(this.surfer.getScroll())));
    this.surfer.on("ready", () => this.showRegion());
    this.regions.on("region-created", (made) => this.placing || this.dragged(made));
    this.regions.on("region-updated", (made) => this.dragged(made));
    this.wave.addEventListener("keydown", (event) => this.key(event));
    this.playback.follow(this.data.id, (now) => this.surfer.setTime(now));
    this.zoom.addEventListener("input", () => this.magnify());
    this.stopTheme = onThemeChange(() => this.paint());
  }

  /** Take the theme's colours; call it once the stage is on the page, where the variables are known. */
  paint() {
    if (!this.node.isConnected) return;
    this.playback.show(); // it may be sounding in a card already
    this.surfer.setOptions(waveColours(this.node));
    this.colour = getComputedStyle(this.node).getPropertyValue("--ace-region").trim();
    this.stopDrawing?.();
    this.stopDrawing = this.regions.enableDragSelection({ color: this.colour });
    this.showRegion();
  }

  get region() {
    return this.model.get("region");
  }

  /** A region that a person drew or moved: brought to lines or bars, told to the kernel. */
  dragged(made) {
    const { start, end } = made;
    if (made !== this.drawn) {
      made.remove();
      if (end - start < SHORTEST) return;
    }
    const [before, after] = this.region ?? [start, end];
    const shown = this.shown;
    // an end that was not moved keeps what it was: it may lie outside of the sound
    const ends = [shown && start === shown[0] ? before : start, shown && end === shown[1] ? after : end];
    this.take(snapped(ends, this.snap.value, this.model.get("lines"), this.data.bar, this.data.duration));
  }

  /** Make this the region. */
  take([start, end]) {
    if (end - start < SHORTEST) return;
    this.model.set("region", [start, end].map((seconds) => hundredths(seconds) / 100));
    reach(() => this.model.save_changes(), () => (this.message.textContent = this.t(SILENCE)));
    this.showRegion();
  }

  /** Draw the part of the region that lies in the sound. */
  showRegion() {
    const { region, data } = this;
    this.told.hidden = !region;
    this.lines.mark(region);
    this.drawn?.remove();
    this.drawn = this.shown = null;
    if (!region || !this.surfer.getDuration()) return;
    const [start, end] = region;
    this.told.textContent = this.t("region {start}–{end} · {seconds} s", { start: finely(start), end: finely(end), seconds: (hundredths(end) - hundredths(start)) / 100 });
    const [from, to] = [Math.max(0, start), Math.min(data.duration, end)];
    if (from >= to) return;
    this.placing = true;
    this.drawn = this.regions.addRegion({ start: from, end: to, color: this.colour, drag: true, resize: true });
    this.placing = false;
    this.shown = [from, to];
  }

  showLines() {
    this.lines.show(this.model.get("lines"), this.data.duration);
    this.bars.show(this.data.bar, this.data.duration);
    this.snap.querySelector("[value=line]").disabled = !this.model.get("lines").length;
    this.snap.querySelector("[value=bar]").disabled = !this.data.bar;
  }

  follow() {
    const { region } = this;
    const now = this.audio.currentTime;
    if (this.looping && this.playback.playing && region && now >= Math.min(region[1], this.data.duration) - 0.02) {
      this.surfer.setTime(Math.max(0, region[0]));
    }
    this.showPosition();
  }

  /** Go on where the region begins when it reaches to the very end. */
  again() {
    if (!this.looping || !this.region) return;
    this.surfer.setTime(Math.max(0, this.region[0]));
    this.audio.play();
  }

  showPosition() {
    const now = this.audio.currentTime;
    const length = clock(this.data.duration);
    this.time.textContent = `${clock(now)} / ${length}`;
    this.wave.setAttribute("aria-valuenow", now.toFixed(1));
    this.wave.setAttribute("aria-valuetext", this.t("{now} of {length}", { now: clock(now), length }));
    this.lines.at(now);
  }

  toggleLoop() {
    this.looping = !this.looping;
    this.loop.setAttribute("aria-pressed", String(this.looping));
  }

  /** Begin in the region when it is looped. */
  enterLoop() {
    const { region } = this;
    const now = this.audio.currentTime;
    if (this.looping && region && (now < region[0] || now >= region[1])) this.surfer.setTime(Math.max(0, region[0]));
  }

  magnify() {
    const factor = 2 ** Number(this.zoom.value);
    this.surfer.zoom(factor === 1 ? 0 : (factor * this.wave.clientWidth) / this.data.duration);
    this.lines.magnify(factor);
    this.bars.magnify(factor);
  }

  key(event) {
    const now = this.audio.currentTime;
    const { bar, duration } = this.data;
    const [start, end] = this.region ?? [0, duration];
    const around = bar ? barAt(now, bar, duration) : undefined;
    const ends = { "[": [now, end > now ? end : duration], "]": [start < now ? start : 0, now], b: around }[event.key];
    const seconds = placeOf(event, now, duration);
    if (!ends && seconds === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    if (ends) return this.take(ends);
    this.surfer.setTime(seconds);
    this.showPosition();
  }

  destroy() {
    this.stopTheme();
    this.playback.destroy();
    this.surfer.destroy();
    this.node.remove();
  }
}
