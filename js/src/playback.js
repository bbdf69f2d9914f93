import { element, icon } from "./dom.js";
import { SILENCE } from "./reach.js";
import { Sound } from "./sound.js";

const PLAY = "M8 5v14l11-7z";
const PAUSE = "M7 5h4v14H7zM13 5h4v14h-4z";
const STARTED = "acestep_nb:started"; // told to every player on the page, whichever widget it is in
const PLACE = "acestep_nb:place"; // where a sound is, told while it plays
const SOUNDING = Symbol.for("acestep_nb:sounding"); // of the document: the playback that is heard now, or null
const CHANGED = "acestep_nb:changed"; // another one is heard, or none any more

function hear(playback) {
  document[SOUNDING] = playback;
  document.dispatchEvent(new CustomEvent(CHANGED));
}

/**
 * The sound of one take with its play button: asked from the kernel on the first press, one at a time on the page.
 * `say` shows a sentence to the person, `changed` hears that it plays or does not, `started` the first press.
 * A panel may show a sound several times, and every button of it tells and stops the same one that is heard.
 */
export class Playback {
  constructor(model, id, t, { say, changed, started }) {
    this.id = id;
    this.t = t;
    this.say = say;
    this.changed = changed;
    this.started = started;
    this.sound = new Sound(model, id);
    this.title = "";
    this.audio = element("audio", { preload: "auto" });
    this.button = element("button", { class: "ace-play", type: "button", onclick: () => this.toggle() });
    this.audio.addEventListener("play", () => {
      document.dispatchEvent(new CustomEvent(STARTED, { detail: this }));
      hear(this);
    });
    this.audio.addEventListener("timeupdate", () => {
      const detail = { from: this, id, panel: this.panel, now: this.audio.currentTime };
      if (this.playing) document.dispatchEvent(new CustomEvent(PLACE, { detail }));
    });
    for (const event of ["pause", "ended"]) this.audio.addEventListener(event, () => this.hush());
    this.showing = () => this.show();
    document.addEventListener(CHANGED, this.showing);
    this.otherStarted = ({ detail }) => {
      if (detail !== this) this.audio.pause();
    };
    document.addEventListener(STARTED, this.otherStarted);
  }

  /** The studio around it, if there is one. */
  get panel() {
    return this.button.closest(".ace-studio");
  }

  /** Call `react` with the second at which another player of the same panel has the same sound. */
  follow(id, react) {
    this.followed = ({ detail }) => {
      const same = detail.id === id && detail.panel && detail.panel === this.panel;
      if (same && detail.from !== this && !this.playing) react(detail.now);
    };
    document.addEventListener(PLACE, this.followed);
  }

  get playing() {
    return !this.audio.paused && !this.audio.ended;
  }

  /** What plays this sound now, here or elsewhere in the same panel; nothing when it is silent. */
  get sounding() {
    const heard = document[SOUNDING];
    const same = heard && heard.id === this.id && heard.panel && heard.panel === this.panel;
    return heard === this || same ? heard : null;
  }

  hush() {
    if (document[SOUNDING] === this) hear(null);
  }

  async toggle() {
    if (this.sounding) return this.sounding.audio.pause();
    this.started();
    await this.play();
  }

  async play() {
    this.say("");
    this.busy(true);
    try {
      const url = await this.sound.ask(this.t(SILENCE), this.say);
      if (this.audio.src !== url) {
        const place = this.audio.currentTime; // where the person went before there was a sound
        this.audio.src = url;
        this.audio.currentTime = place;
      }
      this.say("");
      await this.audio.play();
    } catch (error) {
      this.say(error.name === "NotAllowedError" ? this.t("The sound is here: press play once more.") : error.message);
    } finally {
      this.busy(false);
    }
  }

  show() {
    const heard = Boolean(this.sounding);
    this.button.replaceChildren(icon(heard ? PAUSE : PLAY));
    this.button.title = heard ? this.t("Pause") : this.t("Play");
    this.button.setAttribute("aria-label", `${this.button.title} ${this.title}`);
    this.changed(heard);
  }

  busy(on) {
    this.button.classList.toggle("ace-busy", on);
    this.button.setAttribute("aria-busy", String(on));
  }

  destroy() {
    document.removeEventListener(STARTED, this.otherStarted);
    if (this.followed) document.removeEventListener(PLACE, this.followed);
    document.removeEventListener(CHANGED, this.showing);
    this.audio.pause();
    this.hush();
    this.audio.removeAttribute("src");
    this.sound.release();
  }
}
