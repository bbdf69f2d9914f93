"""What a wheel carries besides the package: the embedded checkpoint and the notebooks.

This is a hook and not a static ``force-include`` because hatchling copies the latter into editable
installs as well, where the copy would go stale beside the checkout that it was taken from.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

EMBEDDED = {
    "checkpoints/nano": "acestep_nb/embedded/checkpoints/nano",
    "notebooks": "acestep_nb/embedded/notebooks",
}


class EmbedHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds ``EMBEDDED`` to standard wheels and leaves editable ones alone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects the files of the wheel."""
        if version == "standard":
            build_data["force_include"].update(EMBEDDED)
