import { element } from "./dom.js";
import { ownKeys } from "./keys.js";
import { speaker } from "./words.js";

/** A bar for each take; the one that is pressed becomes the model's `chosen`. */
function render({ model, el }) {
  const t = speaker(model);

  const bar = ({ name, value, share, best }) => {
    const told = value === null ? t("not scored") : value.toFixed(3);
    const choose = () => {
      model.set("chosen", name);
      model.save_changes();
    };
    const filled = element("i");
    filled.style.width = `${100 * (share ?? 0)}%`;
    const label = t("{name}: {score}", { name, score: told }) + (best ? `, ${t("best")}` : "");
    const words = element("span", { class: "ace-map-words", dir: "auto" }, name);
    const number = element("span", { class: "ace-numbers" }, told, ...(best ? [" ", element("b", {}, t("best"))] : []));
    const classes = `ace-strip-take${best ? " ace-strip-best" : ""}`;
    const pressed = { "aria-pressed": String(model.get("chosen") === name) };
    return element("button", { class: classes, type: "button", "aria-label": label, onclick: choose, ...pressed }, words, element("span", { class: "ace-map-bar" }, filled), number);
  };

  const draw = () => {
    const at = [...el.children].indexOf(document.activeElement);
    el.replaceChildren(...model.get("bars").map(bar));
    el.children[at]?.focus();
  };

  el.classList.add("ace", "ace-map");
  for (const name of ["change:bars", "change:chosen"]) model.on(name, draw);
  draw();
  const releaseKeys = ownKeys(el);
  return () => {
    releaseKeys();
    for (const name of ["change:bars", "change:chosen"]) model.off(name, draw);
  };
}

export default { render };
