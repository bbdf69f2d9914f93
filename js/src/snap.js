/**
 * The region with each end at the nearest end of a line (`mode` "line") or bar of so many seconds ("bar"); as it is
 * where that would leave nothing of it.
 */
export function snapped([start, end], mode, lines, bar, duration) {
  const nearest = (value, places) => places.reduce((best, place) => (Math.abs(place - value) < Math.abs(best - value) ? place : best));
  let ends = [start, end];
  if (mode === "line" && lines.length) {
    ends = [nearest(start, lines.map((line) => line.start)), nearest(end, lines.map((line) => line.end))];
  } else if (mode === "bar" && bar) {
    ends = [start, end].map((value) => Math.min(Math.max(Math.round(value / bar) * bar, 0), duration));
  }
  return ends[0] < ends[1] ? ends : [start, end];
}

const ROUNDED = 0.006; // seconds: a place that was rounded to hundredths may lie so far before its bar

/** The bar around this second, the last one as long as the sound goes on. */
export function barAt(seconds, bar, duration) {
  const start = Math.floor(Math.min(Math.max(seconds, 0) + ROUNDED, duration - 0.001) / bar) * bar;
  return [start, Math.min(start + bar, duration)];
}
