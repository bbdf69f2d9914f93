from types import SimpleNamespace

import psutil
import pytest
import torch

from acestep_nb.checkpoints import machine
from acestep_nb.checkpoints.machine import main_memory, this_machine

GIB = 2**30


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    files = tmp_path / "memory.max", tmp_path / "memory.current"
    monkeypatch.setattr(machine, "_CGROUPS", (files, (tmp_path / "none", tmp_path / "none")))
    return files


def test_a_containers_limit_counts(cgroup):
    limit, used = cgroup
    limit.write_text(str(GIB // 2))
    assert main_memory() == (0.5, 0.5)
    used.write_text(str(GIB // 4))
    assert main_memory() == (0.5, 0.25)
    limit.write_text("max\n")
    assert main_memory()[0] == psutil.virtual_memory().total / GIB


def test_the_cpu():
    own = this_machine("cpu")
    assert (own.device, own.name) == ("cpu", "CPU") and own.memory >= own.free > 0


def test_a_gpu(monkeypatch):
    """No GPU here: torch's answers about one stand in."""
    gpu = SimpleNamespace(
        is_available=lambda: True,
        mem_get_info=lambda device: (14 * GIB, 15 * GIB),
        get_device_name=lambda device: "Tesla T4",
        is_bf16_supported=lambda including_emulation: including_emulation,
    )
    monkeypatch.setattr(torch, "cuda", gpu)
    own = this_machine()
    assert own == machine.Machine("cuda", "Tesla T4", 15.0, 14.0, bf16=False) and own.nominal == 15


def test_a_mac(monkeypatch):
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: GIB // 4)
    own = this_machine("mps")
    assert (own.device, own.memory, own.free, own.bf16) == ("mps", 0.25, 0.25, True)
