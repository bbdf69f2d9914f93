import { element } from "./dom.js";
import { ownKeys } from "./keys.js";
import { speaker } from "./words.js";

const PIECE = 2 ** 20; // bytes in a message: Jupyter's server refuses one above 10 MB

/** A button that sends a file to the kernel, piece by piece; each message tells name, size and place of its piece. */
function render({ model, el }) {
  const t = speaker(model);
  const input = element("input", { type: "file", accept: model.get("accept"), hidden: "" });
  const button = element("button", { class: "ace-button", type: "button", onclick: () => input.click() }, model.get("description"));
  const problem = element("span", { class: "ace-lost", role: "status" });
  const send = async () => {
    const [file] = input.files;
    if (!file) return;
    button.disabled = true;
    problem.textContent = "";
    try {
      await sent(model, file);
    } catch {
      problem.textContent = t("The file could not be sent: run this cell again.");
    }
    button.disabled = false;
    input.value = ""; // else the same file would be no change
  };
  const told = ({ kind }) => {
    if (kind === "mixed") problem.textContent = t("The pieces of two files were mixed up: send them again, one after the other.");
  };
  model.on("msg:custom", told);
  input.addEventListener("change", send);
  el.classList.add("ace", "ace-upload");
  el.append(button, input, problem);
  const releaseKeys = ownKeys(el);
  return () => {
    releaseKeys();
    model.off("msg:custom", told);
  };
}

async function sent(model, file) {
  const { name, size } = file;
  for (let begin = 0; begin === 0 || begin < size; begin += PIECE) {
    const piece = await file.slice(begin, begin + PIECE).arrayBuffer();
    model.send({ kind: "piece", name, size, begin }, undefined, [piece]);
  }
}

export default { render };
