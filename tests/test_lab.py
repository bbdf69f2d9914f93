import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from acestep_nb import AceStepError, cli, lab

ROOT = Path(__file__).parents[1]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package as a wheel leaves it: notebooks inside it, no checkout around it."""
    package = tmp_path / "site" / "acestep_nb"
    notebooks = package / "embedded" / "notebooks"
    (notebooks / "pictures").mkdir(parents=True)
    (notebooks / lab.START).write_text("start")
    (notebooks / "pictures" / "a.svg").write_text("picture")
    monkeypatch.setattr(lab, "_PACKAGE", package)
    return package


def test_a_checkout_opens_its_own_notebooks(tmp_path):
    assert lab.notebooks_folder(tmp_path) == ROOT / "notebooks"
    assert not list(tmp_path.iterdir())


def test_an_installed_package_copies_what_is_missing_and_overwrites_nothing(tmp_path, installed):
    here = tmp_path / "here"
    (here / "notebooks").mkdir(parents=True)
    (here / "notebooks" / lab.START).write_text("mine")
    folder = lab.notebooks_folder(here)
    assert folder == here / "notebooks"
    assert (folder / lab.START).read_text() == "mine"
    assert (folder / "pictures" / "a.svg").read_text() == "picture"
    (folder / lab.START).unlink()
    assert (lab.notebooks_folder(here) / lab.START).read_text() == "start"


def test_a_folder_that_takes_no_notebooks_is_told(tmp_path, installed):
    (tmp_path / "notebooks").write_text("in the way")
    with pytest.raises(AceStepError, match="notebooks"):
        lab.notebooks_folder(tmp_path)


def test_without_jupyterlab_the_remedy_is_told(capsys, monkeypatch):
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["lab"]) == 2
    assert 'pip install "acestep-nb[lab]"' in capsys.readouterr().err


def test_options_go_on_to_jupyterlab_and_its_code_comes_back(monkeypatch, tmp_path, installed):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab.sys, "executable", sys.executable)
    seen = []

    class Lab:
        def __init__(self, command):
            seen.append(command)

        def wait(self, answers=iter([KeyboardInterrupt(), 3])):  # noqa: B008
            answer = next(answers)
            if isinstance(answer, BaseException):
                raise answer
            return answer

    monkeypatch.setattr(lab.subprocess, "Popen", Lab)
    assert cli.main(["lab", "--no-browser", "--port=8889"]) == 3
    start = str(tmp_path / "notebooks" / lab.START)
    assert seen == [[sys.executable, "-m", "jupyterlab", start, "--no-browser", "--port=8889"]]


def test_jupyterlab_serves_the_first_notebook(tmp_path):
    environment = os.environ | {"JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"), "HOME": str(tmp_path)}
    options = ["--no-browser", "--ServerApp.port=0", "--ServerApp.ip=127.0.0.1", "--allow-root"]
    command = [sys.executable, "-m", "acestep_nb", "lab", *options]
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        server = wait_for_server(tmp_path / "runtime", process)
        address = f"{server['url']}api/contents/{lab.START}?content=0"
        request = urllib.request.Request(address, headers={"Authorization": f"token {server['token']}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer)["name"] == lab.START
    finally:
        stop(process, tmp_path / "runtime")


def wait_for_server(runtime: Path, process: subprocess.Popen) -> dict:
    for _ in range(600):
        assert process.poll() is None, "JupyterLab ended at once"
        for file in runtime.glob("jpserver-*.json"):
            with_port = json.loads(file.read_text() or "{}")
            if with_port.get("port"):
                return with_port
        time.sleep(0.2)
    raise AssertionError("JupyterLab did not start")


def stop(process: subprocess.Popen, runtime: Path) -> None:
    """End JupyterLab itself, a child of `process`; that ends `process` too."""
    for file in runtime.glob("jpserver-*.json"):
        os.kill(json.loads(file.read_text())["pid"], 15)
    if not list(runtime.glob("jpserver-*.json")):
        process.kill()
    process.wait(timeout=60)
