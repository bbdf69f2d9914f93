"""What is installed, on which machine, what is amiss and what to do next: for newcomers, and for reports of trouble."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

import acestep_nb
from acestep_nb.checkpoints.fit import Edition, tier
from acestep_nb.checkpoints.locate import download_folder
from acestep_nb.checkpoints.machine import main_memory, this_machine
from acestep_nb.checkpoints.registry import defaults, found
from acestep_nb.errors import AceStepError, InputError
from acestep_nb.files import is_dir
from acestep_nb.placing import foreseen

_GIB = 2**30
EMBEDDED = "nano"
_EDITIONS: tuple[Edition, ...] = ("first", "later")
_NAME = "acestep-nb"
_REAL = "acestep-v15-turbo"


def examine() -> dict[str, Any]:
    """The findings as JSON values; ``problems`` lists in words what has to be put right, ``next`` what to do."""
    problems: list[str] = []
    device = _device(problems)
    findings: dict[str, Any] = {
        "acestep_nb": acestep_nb.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "memory": _memory(),
        "disk": _disk(),
        "checkpoint": _checkpoint(problems),
        "models": _models(),
        "packages": _packages(problems),
        "problems": problems,
    }
    findings["fits"] = _fits(device)
    findings["next"] = next_steps(findings)
    return findings


def in_words(findings: dict[str, Any]) -> str:
    """The findings as lines for a person: the machine, what is here, what would fit, what to do next."""
    device, memory, disk = findings["device"], findings["memory"], findings["disk"]
    needed = {name: own for name, own in findings["packages"].items() if own["extra"] is None}
    versions = [f"{name} {own['version'] or '–'}" for name, own in needed.items()]
    lines = [
        f"acestep_nb {findings['acestep_nb']} · Python {findings['python']} · {findings['platform']}",
        f"device: {device.get('default', 'unknown')} · {device['cpus']} CPU cores"
        + "".join(f" · {gpu['name']} {gpu['memory_gib']} GiB" for gpu in device.get("cuda", [])),
        f"memory: {memory['available_gib']} of {memory['total_gib']} GiB free",
        f"disk: {disk['free_gib']} GiB free in {disk['folder']}",
        f"models here: {', '.join(map(_model_in_words, findings['models'])) or 'none'}",
        *(f"{name}: {words}" for name, words in findings["fits"].items()),
        f"installed: {', '.join(versions)}",
    ]
    lines += [f"problem: {problem}" for problem in findings["problems"]] or ["all is well"]
    lines += [f"next: {step}" for step in findings["next"]]
    return "\n".join(lines)


def next_steps(findings: dict[str, Any]) -> list[str]:
    """What a newcomer should do, the most urgent first."""
    models, steps = findings["models"], []
    begun = [own["name"] for own in models if own["trouble"]]
    whole = {own["name"] for own in models if not own["trouble"]}
    if findings["problems"]:
        steps.append("put right what is told above, then run this again")
    steps += [f"acestep-nb download --model {name} goes on with what is not finished" for name in begun]
    gigabytes = sum(own.gigabytes for own in defaults())
    if not any(own["role"] == "renderer" and own["name"] != EMBEDDED for own in models):
        if not findings["fits"].get(_REAL, "").startswith("fits"):
            steps.append("this machine is too small for full-size models: make music with nano")
        elif findings["disk"]["free_gib"] * _GIB < gigabytes * 10**9:
            steps.append(f"free {gigabytes:.0f} GB of disk for the full-size models, or work with nano")
        else:
            steps.append(
                f"acestep-nb download fetches turbo and its planner ({gigabytes:.0f} GB): real songs"
            )
    if findings["packages"].get("jupyterlab", {}).get("version") is None:
        steps.append('pip install "acestep-nb[lab]" brings JupyterLab')
    else:
        steps.append("acestep-nb lab opens the notebooks")
    best = next((name for name in (_REAL, *sorted(whole)) if _renders(models, name)), None)
    if best:
        steps.append(f'acestep-nb generate --model {best} --caption "piano ballad" makes a song right here')
    return steps


def _renders(models: list[dict[str, Any]], name: str) -> bool:
    return any(own["name"] == name and own["role"] == "renderer" and not own["trouble"] for own in models)


def _model_in_words(own: dict[str, Any]) -> str:
    return f"{own['name']} ({own['trouble']})" if own["trouble"] else str(own["name"])


def _fits(device: dict[str, Any]) -> dict[str, str]:
    """How the smallest and the largest renderer would fit, and what the original's own tables allow here."""
    if "default" not in device:
        return {}
    machine = this_machine()
    told = {name: str(foreseen(machine, name)) for name in (_REAL, "acestep-v15-xl-turbo")}
    if machine.device != "cpu":
        rows = {edition: tier(machine.memory, edition) for edition in _EDITIONS}
        words = [f"{row.batch} takes of {row.seconds} s ({name} release)" for name, row in rows.items()]
        told["the original allows"] = " or ".join(words)
    return told


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
    total, free = main_memory()
    return {"total_gib": round(total, 1), "available_gib": round(free, 1)}


def _disk() -> dict[str, Any]:
    """Free space where downloads go, or would go; in your home where that cannot be, which `_checkpoint` tells."""
    try:
        folder = download_folder()
    except InputError:
        folder = Path.home()
    there = next(place for place in (folder, *folder.resolve().parents) if is_dir(place))
    return {"folder": str(folder), "free_gib": _gib(shutil.disk_usage(there).free)}


def _models() -> list[dict[str, str]]:
    """The models that are here; none where the folder for them cannot be, which `_checkpoint` tells."""
    with contextlib.suppress(InputError):
        return [
            {"name": own.name, "role": own.role, "folder": str(own.folder), "trouble": own.trouble}
            for own in found()
        ]
    return []


def _checkpoint(problems: list[str]) -> dict[str, Any]:
    from acestep_nb.checkpoints import find, verify

    found: dict[str, Any] = {"name": EMBEDDED, "whole": False}
    try:
        folder = find(EMBEDDED)
        found["folder"] = str(folder)
        found["hash"] = verify(folder)
        found["whole"] = True
    except AceStepError as error:
        problems.append(str(error))
    return found


def _packages(problems: list[str]) -> dict[str, dict[str, Any]]:
    """Each package that ours asks for: its version, what is wanted, and which extra wants it."""
    packages: dict[str, dict[str, Any]] = {}
    try:
        lines = importlib.metadata.requires(_NAME) or []
    except importlib.metadata.PackageNotFoundError:
        problems.append(f"{_NAME} runs from its folder and is not installed. Run there: pip install -e .")
        lines = []
    for line in lines:
        wanted = Requirement(line)
        if wanted.name == _NAME:
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
