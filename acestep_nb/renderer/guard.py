"""Turns what goes wrong while a network runs into errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from acestep_nb.errors import AceStepError, RenderError, first_line
from acestep_nb.locales import _

_OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


@contextmanager
def render_errors(doing: str) -> Iterator[None]:
    """Whatever torch raises inside becomes a `RenderError` that names the work (`doing`) and a remedy."""
    try:
        yield
    except AceStepError:
        raise
    except (MemoryError, RuntimeError, ValueError, TypeError, IndexError) as error:
        if _is_out_of_memory(error):
            message = _("{work} needs more memory than there is", work=_(doing))
            remedy = _("Ask for a shorter duration or for fewer seeds at once, or close other programs.")
            raise RenderError(message, field="memory", remedy=remedy) from error
        message = _("{work} failed: {reason}", work=_(doing), reason=first_line(error))
        remedy = _("If it happens again, load the model again, or load it on the CPU.")
        raise RenderError(message, remedy=remedy) from error


def check_latents(latents: Tensor) -> None:
    """Raise `RenderError` when latents are NaN, infinite or all zero: decoding them would give no music."""
    check_finite(latents)
    if not latents.any():
        raise RenderError(
            _("the model gave only zeros"),
            field="latents",
            allowed="different from zero",
            remedy=_("Its files may be damaged: fetch them again."),
        )


def check_finite(numbers: Tensor) -> None:
    """Raise `RenderError` when one of the numbers is none."""
    if not is_finite(numbers):
        raise RenderError(
            _("the model gave numbers that are not finite (NaN or Inf)"),
            field="latents",
            allowed="finite",
            remedy=_('Load it with dtype="float32"; if it is float32 already, its files may be damaged.'),
        )


def is_finite(latents: Tensor) -> bool:
    """Whether every number is one (neither NaN nor infinite)."""
    return bool(torch.isfinite(latents).all())


@contextmanager
def in_float32(network: torch.nn.Module, doing: str) -> Iterator[None]:
    """Inside, a network of half precision computes in float32; its weights come back unchanged.

    Raises `RenderError`, which names the work (`doing`), when there is no memory for that.
    """
    tensors = [one for one in (*network.parameters(), *network.buffers()) if one.is_floating_point()]
    dtypes = [one.dtype for one in tensors]
    try:
        with render_errors(doing):
            _cast(tensors, [torch.float32] * len(tensors))
        yield
    finally:
        _cast(tensors, dtypes)


def done_again(what: str, dtype: torch.dtype) -> str:
    """The note of a take for which something was done once more in float32: `what` ("rendered") and in what first."""
    return f"{what} again in float32: in {str(dtype).removeprefix('torch.')} the numbers left their range"


def _cast(tensors: Iterable[Tensor], dtypes: Iterable[torch.dtype]) -> None:
    with torch.inference_mode(False):  # else the weights would be fit for inference mode alone
        for tensor, dtype in zip(tensors, dtypes):
            tensor.data = tensor.data.to(dtype)


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(words in str(error).lower() for words in _OUT_OF_MEMORY)
