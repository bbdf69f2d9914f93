import { Hints } from "./hints.js";
import { ownKeys } from "./keys.js";
import { speaker } from "./words.js";

/** The kernel's list of hints, each with the button that makes its fix. */
function render({ model, el }) {
  const fix = ({ key }) => model.send({ kind: "fix", key });
  const hints = new Hints(speaker(model), { fix });
  const draw = () => hints.draw(model.get("hints"));
  el.classList.add("ace", "ace-editor");
  el.append(hints.node);
  model.on("change:hints", draw);
  draw();
  const releaseKeys = ownKeys(el);
  return () => {
    releaseKeys();
    model.off("change:hints", draw);
  };
}

export default { render };
