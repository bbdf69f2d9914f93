import { Card } from "./card.js";
import { element } from "./dom.js";
import { ownKeys } from "./keys.js";
import { nameSliders } from "./names.js";
import { speaker } from "./words.js";

/** The takes that the kernel lists, one card each, behind them the takes that are still to come. */
function render({ model, el }) {
  const t = speaker(model);
  const cards = new Map();
  const list = element("div", { class: "ace-grid" });
  const empty = element("p", { class: "ace-empty ace-muted" });
  el.classList.add("ace", "ace-player");
  el.append(list, empty);

  const drawCards = () => {
    const wanted = model.get("cards");
    const kept = new Set(wanted.map((data) => data.id));
    for (const [id, card] of cards) {
      if (kept.has(id)) continue;
      card.destroy();
      cards.delete(id);
    }
    const first = list.querySelectorAll(".ace-ghost").length;
    wanted.forEach((data, index) => place(data, first + index));
    showEmpty();
  };

  const place = (data, index) => {
    const known = cards.get(data.id);
    const card = known ?? new Card(model, data, t);
    cards.set(data.id, card);
    // A card in its place is left alone: moving it would stop its sound.
    if (list.children[index] !== card.node) list.insertBefore(card.node, list.children[index] ?? null);
    if (known) card.update(data);
    else card.paint();
  };

  const drawGhosts = () => {
    list.querySelectorAll(".ace-ghost").forEach((ghost) => ghost.remove());
    list.prepend(...model.get("waiting").map((text) => element("article", { class: "ace-card ace-ghost" }, text)));
    showEmpty();
  };

  const drawSelected = () => cards.forEach((card) => card.update(card.data));

  const showEmpty = () => {
    empty.textContent = list.children.length ? "" : model.get("empty");
  };

  const listeners = {
    "change:cards": drawCards,
    "change:waiting": drawGhosts,
    "change:empty": showEmpty,
    "change:selected": drawSelected,
  };
  for (const [name, draw] of Object.entries(listeners)) {
    model.on(name, draw);
    draw();
  }
  requestAnimationFrame(() => cards.forEach((card) => card.paint()));
  const releaseKeys = ownKeys(el);
  const releaseNames = nameSliders(el);
  return () => {
    releaseKeys();
    releaseNames();
    for (const [name, draw] of Object.entries(listeners)) model.off(name, draw);
    cards.forEach((card) => card.destroy());
  };
}

export default { render };
