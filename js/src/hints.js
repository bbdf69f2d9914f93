import { element } from "./dom.js";

const FEW = 3; // hints that are shown before the person asks for all

/** The hints on a text: a press on one shows its place, a press on its button makes its fix. */
export class Hints {
  constructor(t, { show, fix }) {
    Object.assign(this, { t, show, fix, all: false, hints: [] });
    this.list = element("ul", { class: "ace-hints" });
    this.more = element("button", { class: "ace-quiet ace-more", type: "button", onclick: () => this.toggle() });
    this.node = element("div", { class: "ace-hint-box" }, this.list, this.more);
  }

  draw(hints) {
    this.hints = hints;
    const { t } = this;
    const shown = this.all ? hints : hints.slice(0, FEW);
    this.list.replaceChildren(...shown.map((hint) => this.item(hint)));
    this.list.hidden = !hints.length;
    this.more.hidden = hints.length <= FEW;
    this.more.textContent = this.all ? t("Show fewer") : t("Show all {count} hints", { count: hints.length });
    this.more.setAttribute("aria-expanded", String(this.all));
  }

  item(hint) {
    const { t } = this;
    const kind = { info: t("note"), warning: t("warning"), error: t("error") }[hint.severity];
    const words = [element("b", {}, kind), ` ${hint.message}`];
    const told =
      this.show && hint.end > hint.start
        ? element("button", { class: "ace-hint-text", type: "button", title: t("Show the place"), onclick: () => this.show(hint) }, ...words)
        : element("span", { class: "ace-hint-text" }, ...words);
    const item = element("li", { class: `ace-hint ace-hint-${hint.severity}` }, told);
    if (hint.fix) {
      item.append(element("button", { class: "ace-fix", type: "button", title: hint.message, onclick: () => this.fix(hint) }, hint.fix));
    }
    return item;
  }

  toggle() {
    this.all = !this.all;
    this.draw(this.hints);
  }
}
