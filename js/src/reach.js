/** What a person reads when the kernel does not answer, or the page has lost it. */
export const SILENCE =
  "The kernel does not answer: it is busy or was restarted. Wait for it, run this cell again, or reload the page.";

/** Do what speaks to the kernel; where the page has lost it, as after a restart, `lost` is called in its place. */
export function reach(act, lost) {
  try {
    act();
  } catch {
    lost();
  }
}
