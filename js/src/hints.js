import { element } from "./dom.js";

const FEW = 3; // hints that are shown before the person asks for all

/** The hints on a text: a press on one shows its place, a press on its button makes its fix. */
export class Hints {
  constructor(t, { show, fix }) {
    Object.assign(this, { t, show, fix, all: false, hints: [], rows: new Map() });
    this.list = element("ul", { class: "ace-hints" });
    this.more = element("button", { class: "ace-quiet ace-more", type: "button", onclick: () => this.toggle() });
    this.node = element("div", { class: "ace-hint-box" }, this.list, this.more);
  }

  draw(hints) {
    this.hints = hints;
    const { t } = this;
    this.place(this.all ? hints : hints.slice(0, FEW));
    this.list.hidden = !hints.length;
    this.more.hidden = hints.length <= FEW;
    this.more.textContent = this.all ? t("Show fewer") : t("Show all {count} hints", { count: hints.length });
    this.more.setAttribute("aria-expanded", String(this.all));
  }

  /** A hint that is shown already keeps its row as it is: the person may be about to press its button. */
  place(hints) {
    const rows = new Map();
    for (const hint of hints) {
      const face = JSON.stringify([hint.key, hint.severity, hint.message, hint.fix, hint.end > hint.start]);
      const row = this.rows.get(face) ?? this.row(hint);
      row.hint = hint;
      rows.set(face, row);
    }
    for (const [face, { node }] of this.rows) if (!rows.has(face)) node.remove();
    this.rows = rows;
    [...rows.values()].forEach(({ node }, index) => {
      if (this.list.children[index] !== node) this.list.insertBefore(node, this.list.children[index] ?? null);
    });
  }

  row(hint) {
    const { t } = this;
    const row = { hint };
    const kind = { info: t("note"), warning: t("warning"), error: t("error") }[hint.severity];
    const words = [element("b", {}, kind), ` ${hint.message}`];
    const press = { class: "ace-hint-text", type: "button", title: t("Show the place"), onclick: () => this.show(row.hint) };
    const told =
      this.show && hint.end > hint.start
        ? element("button", press, ...words)
        : element("span", { class: "ace-hint-text" }, ...words);
    row.node = element("li", { class: `ace-hint ace-hint-${hint.severity}` }, told);
    if (hint.fix) {
      const about = { class: "ace-fix", type: "button", title: hint.message };
      row.node.append(element("button", { ...about, onclick: () => this.fix(row.hint) }, hint.fix));
    }
    return row;
  }

  toggle() {
    this.all = !this.all;
    this.draw(this.hints);
  }
}
