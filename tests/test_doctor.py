import importlib.metadata
import json
import sys

import pytest

from acestep_nb import cli, doctor
from acestep_nb.checkpoints.fit import Machine


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
    assert "device: " in out and "memory: " in out and "torch " in out and "next: " in out
    assert "models here: " in out and "acestep-v15-turbo: " in out and len(out.splitlines()) <= 24
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


def test_a_checkout_that_is_not_installed_is_a_problem(monkeypatch):
    def requires(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    problems: list[str] = []
    assert doctor._packages(problems) == {} and "pip install" in problems[0]


def test_a_missing_extra_is_no_problem(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ['no-such>=1; extra == "lab"'])
    problems: list[str] = []
    packages = doctor._packages(problems)
    assert not problems and packages["no-such"] == {"version": None, "wanted": ">=1", "extra": "lab"}


def findings(models=(), fits="fits: 8 of 12 GB", free=100.0, problems=(), lab="4.2"):
    rows = [
        {"name": name, "role": role, "folder": name, "trouble": trouble} for name, role, trouble in models
    ]
    return {
        "models": rows,
        "fits": {"acestep-v15-turbo": fits},
        "disk": {"free_gib": free},
        "problems": list(problems),
        "packages": {"jupyterlab": {"version": lab}},
    }


NANO, TURBO = ("nano", "renderer", ""), ("acestep-v15-turbo", "renderer", "")


@pytest.mark.parametrize(
    ("found", "first", "last"),
    [
        (findings([NANO]), "acestep-nb download fetches turbo", "--model nano"),
        (findings([NANO], fits="does not fit"), "too small", "--model nano"),
        (findings([NANO], free=5.0), "free 10 GB of disk", "--model nano"),
        (findings([NANO, TURBO]), "acestep-nb lab", "--model acestep-v15-turbo"),
        (findings([NANO, TURBO], lab=None), "acestep-nb[lab]", "--model acestep-v15-turbo"),
        (findings([NANO], problems=["torch is missing"]), "put right", "--model nano"),
        (findings([NANO, ("vae", "codec", "cut off")]), "download --model vae goes on", "--model nano"),
        (findings([], fits=""), "too small", "acestep-nb lab"),
    ],
)
def test_what_to_do_next(found, first, last):
    steps = doctor.next_steps(found)
    assert first in steps[0] and last in steps[-1]


def test_every_next_step_is_a_command_that_there_is(capsys):
    for step in doctor.examine()["next"]:
        if step.startswith("acestep-nb "):
            with pytest.raises(SystemExit) as stopped:
                cli.main([step.split()[1], "--help"])
            assert stopped.value.code == 0


def test_without_torch_it_still_tells(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    found = doctor.examine()
    assert any("torch cannot be imported" in problem for problem in found["problems"]) and found["fits"] == {}
    assert "put right" in found["next"][0] and "unknown" in doctor.in_words(found)


def test_on_a_gpu_the_originals_tables_are_told(monkeypatch):
    monkeypatch.setattr(doctor, "this_machine", lambda: Machine("cuda", "T4", 14.6, 14.2, False))
    told = doctor._fits({"default": "cuda"})
    assert (
        told["the original allows"] == "4 takes of 360 s (first release) or 4 takes of 600 s (later release)"
    )
    assert "float32 because" in told["acestep-v15-turbo"]


def test_a_folder_for_models_that_cannot_be_is_a_problem_among_the_others(monkeypatch, capsys):
    monkeypatch.setenv("ACESTEP_CHECKPOINTS_DIR", "models/" + "a" * 300)
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert out.count("problem: ACESTEP_CHECKPOINTS_DIR must be") == 1 and "installed: " in out
