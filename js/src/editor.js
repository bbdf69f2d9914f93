import { element } from "./dom.js";
import { Hints } from "./hints.js";
import { ownKeys } from "./keys.js";
import { Mirror, moved } from "./mirror.js";
import { Palette } from "./palette.js";
import { reach } from "./reach.js";
import { speaker } from "./words.js";

const PAUSE = 200; // ms without a key before the kernel hears what was typed

/** A text with a palette of words above it, its measures beside it and its hints below. */
class Editor {
  constructor(model, el) {
    this.model = model;
    this.t = speaker(model);
    this.marks = [];
    this.drawn = "";
    this.build(el);
    this.listen();
    this.take();
    this.advise();
  }

  build(el) {
    const { model, t } = this;
    const id = `ace-editor-${Math.random().toString(36).slice(2)}`; // each widget runs a copy of this file
    const label = element("label", { class: "ace-editor-label", for: id }, model.get("description"));
    const told = { "aria-describedby": `${id}-state`, placeholder: model.get("placeholder") };
    this.area = element("textarea", { id, dir: "auto", spellcheck: "false", ...told });
    this.mirror = new Mirror();
    this.place = element("span");
    this.count = element("span", { class: "ace-numbers" });
    this.problem = element("span", { class: "ace-lost", role: "status" });
    this.palette = new Palette(model.get("palette"), t("Words to choose from"), (word) => this.pick(word));
    this.hints = new Hints(t, {
      show: ({ start, end }) => this.select(start, end),
      fix: ({ key }) => this.send({ kind: "fix", key }),
    });
    const sheet = element("div", { class: "ace-sheet" }, this.mirror.node, this.area);
    const state = element("div", { class: "ace-state", id: `${id}-state` }, this.place, this.count);
    this.page = element("div", { class: "ace-page" }, sheet);
    el.append(label, this.page, state, this.problem, this.palette.node, this.hints.node);
  }

  listen() {
    this.area.addEventListener("input", () => this.typed());
    this.area.addEventListener("blur", () => this.flush());
    for (const event of ["keyup", "click", "focus"]) this.area.addEventListener(event, () => this.showPlace());
    this.listeners = {
      "change:value": () => this.take(),
      "change:advice": () => this.advise(),
      "change:invalid": () => this.showCount(),
      "msg:custom": ({ kind, start, end }) => kind === "select" && this.select(start, end),
    };
    for (const [name, react] of Object.entries(this.listeners)) this.model.on(name, react);
  }

  /** Show the kernel's text, unless it is what was typed here. */
  take() {
    const text = this.model.get("value");
    if (this.timer === undefined && text !== this.area.value) {
      const caret = this.area.selectionEnd;
      this.area.value = text;
      this.area.setSelectionRange(caret, caret);
    }
    this.draw();
  }

  typed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), PAUSE);
    this.draw();
  }

  /** Tell the kernel what was typed, if it does not know yet. */
  flush() {
    if (this.timer === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.model.set("value", this.area.value);
    this.reach(() => this.model.save_changes());
  }

  send(message) {
    this.flush();
    this.reach(() => this.model.send(message));
  }

  reach(act) {
    this.problem.textContent = "";
    const lost = this.t("The kernel does not answer: run this cell again. Your words stay here.");
    reach(act, () => (this.problem.textContent = lost));
  }

  pick(word) {
    this.send({ kind: "pick", word, at: this.area.selectionEnd });
  }

  select(start, end) {
    this.area.focus();
    this.area.setSelectionRange(start, end);
    const row = this.mirror.node.children[this.line(start)];
    row?.scrollIntoView({ block: "nearest" });
    this.showPlace();
  }

  advise() {
    const { hints = [], chosen = null } = this.model.get("advice");
    if (this.timer === undefined) this.marks = hints.filter((hint) => hint.end > hint.start);
    this.drawn = this.area.value;
    this.hints.draw(hints);
    this.palette.mark(chosen);
    this.draw();
  }

  draw() {
    const text = this.area.value;
    this.marks = moved(this.marks, this.drawn, text);
    this.drawn = text;
    const { lines = [] } = this.model.get("advice");
    this.page.classList.toggle("ace-measured", this.model.get("measured"));
    this.page.classList.toggle("ace-aligned", lines.some(({ score }) => score !== null));
    this.mirror.draw(text, this.marks, lines);
    this.showCount();
    this.showPlace();
  }

  showCount() {
    const count = [...this.area.value].length;
    const limit = this.model.get("limit");
    this.count.textContent = this.t("{count} of {limit}", { count: count.toLocaleString("en"), limit: limit.toLocaleString("en") });
    this.count.classList.toggle("ace-over", count > limit);
    this.area.setAttribute("aria-invalid", String(this.model.get("invalid") || count > limit));
  }

  line(at) {
    return this.area.value.slice(0, at).split("\n").length - 1;
  }

  showPlace() {
    const number = this.line(this.area.selectionEnd);
    const { count = null, score = null } = this.model.get("advice").lines?.[number] ?? {};
    const parts = [
      count !== null && this.t("line {number}: {count} syllables", { number: number + 1, count }),
      score !== null && this.t("alignment {score}", { score: score.toFixed(2) }),
    ];
    this.place.textContent = parts.filter(Boolean).join(" · ");
  }

  stop() {
    this.flush();
    for (const [name, react] of Object.entries(this.listeners)) this.model.off(name, react);
  }
}

function render({ model, el }) {
  el.classList.add("ace", "ace-editor");
  const editor = new Editor(model, el);
  const releaseKeys = ownKeys(el);
  return () => {
    releaseKeys();
    editor.stop();
  };
}

export default { render };
