import { reach } from "./reach.js";

const PATIENCE = 6000; // ms without an answer before the person is told

let requests = 0;

/** The sound of one take: asked from the kernel at most once, held as a Blob URL until released. */
export class Sound {
  constructor(model, id) {
    this.model = model;
    this.id = id;
    this.url = null;
    this.waiting = null;
  }

  /** The Blob URL; `say` is told `silence` when the kernel takes long. Rejects with what a person should read. */
  async ask(silence, say) {
    if (this.url) return this.url;
    this.stopWaiting();
    const { data, mime } = await this.request(silence, say);
    this.url = URL.createObjectURL(new Blob([data], { type: mime }));
    return this.url;
  }

  request(silence, say) {
    const request = `${Date.now()}-${++requests}`;
    return new Promise((resolve, reject) => {
      const answered = (message, buffers) => {
        if (message.request !== request) return;
        this.stopWaiting();
        if (message.kind === "sound") resolve({ data: buffers[0], mime: message.mime });
        else reject(new Error(message.text));
      };
      const timer = setTimeout(() => say(silence), PATIENCE);
      this.waiting = () => {
        clearTimeout(timer);
        this.model.off("msg:custom", answered);
        this.waiting = null;
      };
      this.model.on("msg:custom", answered);
      const lost = () => {
        this.stopWaiting();
        reject(new Error(silence));
      };
      reach(() => this.model.send({ kind: "sound", id: this.id, request }), lost);
    });
  }

  stopWaiting() {
    this.waiting?.();
  }

  release() {
    this.stopWaiting();
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
  }
}
