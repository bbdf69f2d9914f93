/**
 * What says a sentence of ours in the language of the interface: `t("Play")`. The kernel sends the widget its
 * `words`, translated, by their English; `{name}` in a sentence is replaced by that value.
 */
export function speaker(model) {
  return (text, values = {}) =>
    (model.get("words")[text] ?? text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
