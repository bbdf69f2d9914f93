const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

/** What a waveform is drawn of: the kernel's bytes as numbers from 0 to 1. */
export function peaksOf({ peaks }) {
  const bytes = new Uint8Array(peaks.buffer, peaks.byteOffset, peaks.byteLength);
  return [Float32Array.from(bytes, (value) => value / 255)];
}

/** The place in the sound that a key leads to, in seconds; undefined for other keys. */
export function placeOf(event, now, duration) {
  const seconds = { Home: 0, End: duration }[event.key] ?? now + STEPS[event.key];
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 0), duration);
}
