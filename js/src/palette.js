import { element } from "./dom.js";

/** Words to choose from, in groups that unfold one at a time; `pick(word)` hears what is pressed. */
export class Palette {
  constructor(groups, label, pick) {
    this.open = null;
    this.chips = groups.map((group) => this.chip(group));
    this.words = element("div", { class: "ace-words", role: "group" });
    const row = element("div", { class: "ace-chips", role: "group", "aria-label": label }, ...this.chips.map(({ node }) => node));
    this.node = element("div", { class: "ace-palette" }, row, this.words);
    this.pick = pick;
    this.chosen = null;
  }

  /** Mark these words as being there; null for words that are only put in. */
  mark(chosen) {
    this.chosen = chosen;
    for (const { node, group } of this.chips) {
      const there = chosen !== null && group.words.some(([word]) => chosen.includes(word));
      node.textContent = there ? `${group.label} ✓` : `+ ${group.label}`;
      node.classList.toggle("ace-there", there);
    }
    this.press();
  }

  chip(group) {
    const node = element("button", { class: "ace-word", type: "button", "aria-expanded": "false" });
    node.addEventListener("click", () => this.unfold(this.open === group ? null : group));
    return { node, group };
  }

  unfold(open) {
    this.open = open;
    for (const { node, group } of this.chips) node.setAttribute("aria-expanded", String(group === open));
    const words = open === null ? [] : open.words;
    this.words.replaceChildren(
      ...words.map(([word, meaning]) =>
        element("button", { class: "ace-word", type: "button", title: meaning, onclick: () => this.pick(word) }, word),
      ),
    );
    if (open !== null) this.words.setAttribute("aria-label", open.label);
    this.press();
  }

  press() {
    if (this.chosen === null) return;
    for (const button of this.words.children) {
      button.setAttribute("aria-pressed", String(this.chosen.includes(button.textContent)));
    }
  }
}
