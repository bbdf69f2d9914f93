/**
 * Give the handles of the sliders around this node the name that stands beside them: ipywidgets leaves them without.
 * Returns the function that ends it.
 */
export function nameSliders(node) {
  let observer = null;
  const name = (root) => {
    for (const handle of root.querySelectorAll(".noUi-handle:not([aria-label])")) {
      const label = handle.closest(".widget-slider")?.querySelector(".widget-label")?.textContent.trim();
      if (label) handle.setAttribute("aria-label", label);
    }
  };
  const begin = requestAnimationFrame(() => {
    const root = node.closest(".ace-studio");
    if (!root) return;
    observer = new MutationObserver(() => name(root));
    observer.observe(root, { childList: true, subtree: true });
    name(root);
  });
  return () => {
    cancelAnimationFrame(begin);
    observer?.disconnect();
  };
}
