import { element } from "./dom.js";

const TAG = /\[[^[\]\n]*\]|【[^【】\n]*】|［[^［］\n]*］/g;

/**
 * The text once more behind the text area, letter for letter at the same place, to carry what a text area cannot
 * show: tints behind tags, lines under what a hint speaks of, and a gutter beside each line.
 */
export class Mirror {
  constructor() {
    this.node = element("div", { class: "ace-mirror", "aria-hidden": "true" });
  }

  /** `marks` are `{start, end, severity}` in UTF-16 units, `lines` one `{count, score, weak}` each. */
  draw(text, marks, lines) {
    let start = 0;
    const rows = text.split("\n").map((line, number) => {
      const words = element("span", { class: "ace-line-text", dir: "auto" }, ...pieces(line, start, marks));
      start += line.length + 1;
      return element("div", { class: "ace-line" }, words, ...gutter(lines[number]));
    });
    this.node.replaceChildren(...rows);
  }
}

/** The line cut wherever a tag or a mark begins or ends. */
function pieces(line, start, marks) {
  if (!line) return ["\u200b"]; // an empty line has a height too
  const tags = [...line.matchAll(TAG)].map((match) => ({ start: match.index, end: match.index + match[0].length }));
  const here = marks.map((mark) => ({ ...mark, start: mark.start - start, end: mark.end - start }));
  const cuts = [0, line.length, ...[...tags, ...here].flatMap((span) => [span.start, span.end])];
  const places = [...new Set(cuts)].filter((cut) => cut >= 0 && cut <= line.length).sort((a, b) => a - b);
  return places.slice(1).map((end, index) => {
    const inside = (span) => span.start <= places[index] && span.end >= end;
    const classes = [tags.some(inside) && "ace-tag-tint", ...here.filter(inside).map((mark) => `ace-mark-${mark.severity}`)];
    return element("span", { class: classes.filter(Boolean).join(" ") }, line.slice(places[index], end));
  });
}

function gutter({ count, score, weak } = {}) {
  if (count === undefined) return [];
  const bar = element("span", { class: "ace-align" });
  if (score !== null) {
    const filled = element("i");
    filled.style.width = `${Math.round(100 * score)}%`;
    bar.append(filled);
    bar.classList.add("ace-scored");
  }
  bar.classList.toggle("ace-weak", weak);
  return [element("span", { class: "ace-syllables ace-numbers" }, count === null ? "" : String(count)), bar];
}

/** The marks as they stand after an edit: those behind it move along, those that it touches are gone. */
export function moved(marks, before, after) {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  const shift = after.length - before.length;
  return marks.flatMap((mark) => {
    if (mark.end <= head) return [mark];
    if (mark.start < before.length - tail) return [];
    return [{ ...mark, start: mark.start + shift, end: mark.end + shift }];
  });
}
