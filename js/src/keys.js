const SUPPRESS = "data-lm-suppress-shortcuts"; // Lumino looks for it from the focused element on upwards

/**
 * Keep plain keys that are pressed inside a widget from JupyterLab, where "b" makes a cell and "x" cuts one;
 * keys with Ctrl, Alt or Cmd (save, find) and Shift+Enter stay JupyterLab's. Returns the function that ends it.
 */
export function ownKeys(node) {
  const guard = (event) => {
    const root = node.closest(".ace-studio") ?? node;
    if (!root.contains(event.target)) return;
    const theirs = event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");
    event.target.toggleAttribute(SUPPRESS, !theirs);
  };
  window.addEventListener("keydown", guard, true); // JupyterLab listens on the document, one step further in
  return () => window.removeEventListener("keydown", guard, true);
}
