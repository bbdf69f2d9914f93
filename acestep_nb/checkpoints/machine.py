"""What the machine under this program offers."""

from __future__ import annotations

from pathlib import Path

import psutil

from acestep_nb.checkpoints.fit import Machine

_GIB = 2**30
_CGROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def this_machine(device: str | None = None) -> Machine:
    """This machine as `fit` wants to know it; `device` is one of torch's, by default the best there is."""
    import torch

    chosen = torch.device(device or best_device())
    if chosen.type == "cuda":
        free, total = torch.cuda.mem_get_info(chosen)
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        name = torch.cuda.get_device_name(chosen)
        return Machine("cuda", name, total / _GIB, free / _GIB, bf16)
    whole, unused = main_memory()
    if chosen.type == "mps":  # the system leaves it about two thirds
        whole = torch.mps.recommended_max_memory() / _GIB
        return Machine("mps", "Apple GPU", whole, min(whole, unused), bf16=True)
    return Machine(chosen.type, "CPU", whole, unused, bf16=True)


def best_device() -> str:
    """A CUDA device if torch can use one, else the CPU."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def main_memory() -> tuple[float, float]:
    """GiB of main memory, and those that are free; containers, such as Binder's, allow less than there is."""
    memory = psutil.virtual_memory()
    total, free = memory.total, memory.available
    for limit, used in _CGROUPS:
        if limit.exists() and (text := limit.read_text().strip()).isdigit():
            total = min(total, int(text))
            spent = int(used.read_text()) if used.exists() else 0
            free = min(free, max(0, int(text) - spent))
    return total / _GIB, free / _GIB
