"""What a wheel carries besides the package: the embedded checkpoint and the notebooks.

This is a hook and not a static ``force-include`` because hatchling copies the latter into editable
installs as well, where the copy would go stale beside the checkout that it was taken from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

EMBEDDED = {
    "checkpoints/nano": "acestep_nb/embedded/checkpoints/nano",
    "notebooks": "acestep_nb/embedded/notebooks",
}
LEFT_OUT = {"projects", ".ipynb_checkpoints"}  # what using the notebooks leaves beside them


class EmbedHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds ``EMBEDDED`` to standard wheels and leaves editable ones alone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects the files of the wheel."""
        if version == "standard":
            for folder, target in EMBEDDED.items():
                build_data["force_include"].update(self._files(Path(self.root) / folder, target))

    def _files(self, folder: Path, target: str) -> dict[str, str]:
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        if not files:
            raise FileNotFoundError(f"{folder} is empty or missing: the wheel would lack it")
        inner = {path: path.relative_to(folder) for path in files}
        return {
            str(path): f"{target}/{name.as_posix()}"
            for path, name in inner.items()
            if not LEFT_OUT & set(name.parts)
        }
