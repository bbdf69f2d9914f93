"""Folders with a model's files: where they are, whether they are whole; `loading` reads the networks."""

from acestep_nb.checkpoints.locate import find
from acestep_nb.checkpoints.manifest import verify, write_manifest

__all__ = ["find", "verify", "write_manifest"]
