import { Stage } from "./stage.js";
import { ownKeys } from "./keys.js";
import { speaker } from "./words.js";

/** One sound large: its waveform with a region to drag, and the lines that are sung below it. */
function render({ model, el }) {
  const t = speaker(model);
  let stage = null;
  el.classList.add("ace", "ace-region-player");

  const draw = () => {
    stage?.destroy();
    stage = null;
    const sound = model.get("sound");
    el.hidden = !sound.id;
    if (sound.id) {
      stage = new Stage(model, sound, t);
      el.append(stage.node);
      stage.paint();
    }
  };

  const listeners = {
    "change:sound": draw,
    "change:region": () => stage?.showRegion(),
    "change:lines": () => stage?.showLines(),
  };
  for (const [name, react] of Object.entries(listeners)) model.on(name, react);
  draw();
  requestAnimationFrame(() => stage?.paint());
  const releaseKeys = ownKeys(el);
  return () => {
    releaseKeys();
    for (const [name, react] of Object.entries(listeners)) model.off(name, react);
    stage?.destroy();
  };
}

export default { render };
