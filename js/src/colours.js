/** The waveform's colours as the page's theme has them now; canvases cannot read CSS variables themselves. */
export function waveColours(node) {
  const style = getComputedStyle(node);
  const colour = (name) => style.getPropertyValue(name).trim();
  return {
    waveColor: colour("--ace-wave"),
    progressColor: colour("--ace-accent"),
    cursorColor: colour("--ace-ink"),
  };
}

/** Call `repaint` whenever the page may have changed its theme; returns the function that stops it. */
export function onThemeChange(repaint) {
  const later = () => requestAnimationFrame(repaint);
  const observer = new MutationObserver(later);
  const attributes = ["class", "theme", "data-jp-theme-light", "data-jp-theme-name", "data-vscode-theme-kind"];
  for (const node of [document.documentElement, document.body]) {
    observer.observe(node, { attributes: true, attributeFilter: attributes });
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", later);
  return () => {
    observer.disconnect();
    system.removeEventListener("change", later);
  };
}
