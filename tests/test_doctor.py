import importlib.metadata
import json

import pytest

from acestep_nb import cli, doctor


def test_json_has_the_facts_that_a_report_needs(capsys):
    code = cli.main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == (1 if found["problems"] else 0)
    assert found["packages"]["torch"]["version"] == importlib.metadata.version("torch")
    assert found["packages"]["pytest"]["extra"] == "test"
    assert found["packages"]["torch"]["extra"] is None
    assert found["device"]["default"] in ("cpu", "cuda") and found["device"]["cpus"] >= 1
    assert found["memory"]["total_gib"] >= found["memory"]["available_gib"] > 0
    assert found["disk"]["free_gib"] > 0
    assert {"acestep_nb", "python", "platform", "checkpoint"} <= set(found)


def test_words_for_a_person(capsys):
    cli.main(["doctor"])
    out = capsys.readouterr().out
    assert "device: " in out and "memory: " in out and "torch " in out
    assert ("all is well" in out) != ("problem: " in out)


def test_the_embedded_checkpoint_is_verified(own_checkpoint, monkeypatch):
    from acestep_nb.checkpoints import write_manifest

    monkeypatch.setenv("ACESTEP_CHECKPOINTS_DIR", str(own_checkpoint.parent))
    own_checkpoint.rename(own_checkpoint.with_name("nano"))
    folder = own_checkpoint.with_name("nano")
    write_manifest(folder, "nano", "1")
    found = doctor.examine()
    assert found["checkpoint"]["whole"] and found["checkpoint"]["folder"] == str(folder)
    assert found["checkpoint"]["hash"].startswith("sha256:") and not found["problems"]

    weights = next(folder.glob("transformer/*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    found = doctor.examine()
    assert not found["checkpoint"]["whole"]
    assert any(weights.name in problem for problem in found["problems"])


@pytest.mark.parametrize(
    ("line", "word"), [("no-such-package>=1", "is missing"), ("pytest<2", "wanted <2"), ("pytest>=2", None)]
)
def test_missing_and_old_packages_are_problems(monkeypatch, line, word):
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: [line])
    problems: list[str] = []
    doctor._packages(problems)
    assert [word in problem for problem in problems] == ([True] if word else [])


def test_a_missing_extra_is_no_problem(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ['no-such>=1; extra == "lab"'])
    problems: list[str] = []
    packages = doctor._packages(problems)
    assert not problems and packages["no-such"] == {"version": None, "wanted": ">=1", "extra": "lab"}


def test_a_containers_limit_counts(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    limit.write_text(str(2**29))
    monkeypatch.setattr(doctor, "_CGROUP", (limit, tmp_path / "missing"))
    assert doctor._memory() == {"total_gib": 0.5, "available_gib": 0.5}
    limit.write_text("max\n")
    assert doctor._memory()["total_gib"] > 0.5
