"""What is installed, on which machine, and what is amiss: the facts that a report of trouble needs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path
from typing import Any

import psutil
from packaging.requirements import Requirement

import acestep_nb
from acestep_nb.errors import AceStepError

_GIB = 2**30
_CGROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def examine() -> dict[str, Any]:
    """The findings as JSON values; ``problems`` lists in words what has to be put right."""
    problems: list[str] = []
    return {
        "acestep_nb": acestep_nb.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": _device(problems),
        "memory": _memory(),
        "disk": {"folder": str(Path.cwd()), "free_gib": _gib(shutil.disk_usage(Path.cwd()).free)},
        "checkpoint": _checkpoint(problems),
        "packages": _packages(problems),
        "problems": problems,
    }


def in_words(findings: dict[str, Any]) -> str:
    """The findings as lines for a person."""
    device, memory, checkpoint = findings["device"], findings["memory"], findings["checkpoint"]
    versions = [f"{name} {found['version'] or '–'}" for name, found in findings["packages"].items()]
    lines = [
        f"acestep_nb {findings['acestep_nb']} · Python {findings['python']} · {findings['platform']}",
        f"device: {device.get('default', 'unknown')} · {device['cpus']} CPU cores"
        + "".join(f" · {gpu['name']} {gpu['memory_gib']} GiB" for gpu in device.get("cuda", [])),
        f"memory: {memory['available_gib']} of {memory['total_gib']} GiB free",
        f"disk: {findings['disk']['free_gib']} GiB free in {findings['disk']['folder']}",
        f"checkpoint: {checkpoint['name']} {'whole' if checkpoint['whole'] else 'not usable'}",
        f"installed: {', '.join(versions)}",
    ]
    lines += [f"problem: {problem}" for problem in findings["problems"]] or ["all is well"]
    return "\n".join(lines)


def _device(problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"cpus": os.cpu_count()}
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library that torch needs does not load
        problems.append(f"torch cannot be imported: {error}. Run: pip install torch")
        return found
    cuda = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    mps = torch.backends.mps.is_available()
    return found | {
        "default": "cuda" if cuda else "cpu",
        "cuda": [{"name": gpu.name, "memory_gib": _gib(gpu.total_memory)} for gpu in cuda],
        "mps": mps,
        "threads": torch.get_num_threads(),
    }


def _memory() -> dict[str, float]:
    memory = psutil.virtual_memory()
    limits = [memory.total]
    for path in _CGROUP:  # containers, such as Binder's, allow less than the machine has
        if path.exists() and (text := path.read_text().strip()).isdigit():
            limits.append(int(text))
    return {"total_gib": _gib(min(limits)), "available_gib": _gib(min([memory.available, *limits]))}


def _checkpoint(problems: list[str]) -> dict[str, Any]:
    from acestep_nb.checkpoints import find, verify

    found: dict[str, Any] = {"name": "nano", "whole": False}
    try:
        folder = find("nano")
        found["folder"] = str(folder)
        found["hash"] = verify(folder)
        found["whole"] = True
    except AceStepError as error:
        problems.append(str(error))
    return found


def _packages(problems: list[str]) -> dict[str, dict[str, Any]]:
    """Each package that ours asks for: its version, what is wanted, and which extra wants it."""
    packages: dict[str, dict[str, Any]] = {}
    for line in importlib.metadata.requires("acestep-nb") or []:
        wanted = Requirement(line)
        if wanted.name == "acestep-nb":
            continue
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        extra = str(wanted.marker).rpartition("==")[2].strip(" '\"") if wanted.marker else None
        packages[wanted.name] = {"version": version, "wanted": str(wanted.specifier), "extra": extra}
        fits = version is not None and wanted.specifier.contains(version, prereleases=True)
        if not fits and extra is None:
            problems.append(
                f"{wanted.name} {version or 'is missing'}, wanted {wanted.specifier}. "
                f'Run: pip install "{wanted.name}{wanted.specifier}"'
            )
    return packages


def _gib(size: float) -> float:
    return round(size / _GIB, 1)
