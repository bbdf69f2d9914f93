import { element } from "./dom.js";
import { speaker } from "./words.js";

const SHOWN = 2000; // ms that the button says what happened

/** Python to copy: the kernel's `text` as plain text with a button that puts it on the clipboard. */
function render({ model, el }) {
  const t = speaker(model);
  const code = element("pre", { tabindex: "0", "aria-label": t("Python code") });
  const button = element("button", { class: "ace-quiet", type: "button" }, t("Copy"));
  const show = () => {
    code.textContent = model.get("text");
  };
  button.addEventListener("click", async () => {
    button.textContent = (await copied(code)) ? t("Copied") : t("Selected: press Ctrl+C");
    setTimeout(() => {
      button.textContent = t("Copy");
    }, SHOWN);
  });
  el.classList.add("ace", "ace-code");
  el.append(code, button);
  model.on("change:text", show);
  show();
  return () => model.off("change:text", show);
}

/** Whether the text is on the clipboard; where the page may not write there, it is left selected. */
async function copied(node) {
  try {
    await navigator.clipboard.writeText(node.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(node);
    return document.execCommand("copy");
  }
}

export default { render };
