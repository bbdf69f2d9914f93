"""How much memory a process has needed."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil


def peak_bytes() -> int:
    """The most memory that this process has had so far."""
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):  # Windows
        return int(info.peak_wset)
    if sys.platform == "linux":  # there getrusage also tells the peak of whoever started the process
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    import resource

    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
