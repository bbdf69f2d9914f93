import errno
import json
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acestep_nb import History, ProjectError, history
from acestep_nb.edits import Edit, Source
from acestep_nb.history import project_folder, slug


def script(body: str, *arguments: object) -> subprocess.Popen:
    """Another process that runs `body` with `make_take` at hand."""
    head = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from helpers import make_take\n"
    code = head + textwrap.dedent(body)
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


def litter(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith((".unfinished", ".draft", ".project"))]


def test_takes_come_back_newest_first(tmp_path, make_take):
    project = History(tmp_path / "deep" / "project")
    kept = [project.add(make_take(seed=seed, caption="Rainy night, lo-fi")) for seed in (101, 102)]
    assert [take.name for take in kept] == ["0001_rainy-night-lo-fi_s101", "0002_rainy-night-lo-fi_s102"]
    again = History(project.folder)
    assert list(again) == kept[::-1] and len(again) == 2
    assert again.get(kept[0].name) == kept[0]
    np.testing.assert_allclose(again.takes[1].audio.samples, make_take(seed=101).audio.samples, atol=2**-23)


def test_a_kept_take_lives_in_a_folder_with_its_files(tmp_path, make_take):
    take = History(tmp_path).add(make_take())
    assert take.folder == tmp_path / "takes" / take.name
    assert set(os.listdir(take.folder)) == {"take.json", "audio.flac", "latents.safetensors", "peaks.npy"}
    assert json.loads((tmp_path / "project.json").read_text())["schema"] == 1


def test_stars_are_remembered(tmp_path, make_take):
    project = History(tmp_path)
    first, second = project.add(make_take()), project.add(make_take())
    project.star(first)
    project.star(first)
    assert History(tmp_path).starred == {first.name}
    project.unstar(first)
    project.unstar(second)
    assert History(tmp_path).starred == frozenset()


def test_a_removed_take_can_be_brought_back_and_its_number_stays_its_own(tmp_path, make_take):
    project = History(tmp_path)
    take = project.add(make_take())
    project.star(take)
    project.remove(take)
    assert len(project) == 0 and project.starred == frozenset()
    assert project.add(make_take()).name.startswith("0002_")
    assert project.restore(take.name) == take
    assert [one.name[:4] for one in project] == ["0002", "0001"] and project.starred == {take.name}
    with pytest.raises(ProjectError):
        project.restore(take.name)


@pytest.mark.parametrize("name", ["", "..", "../../x", "0009_none_s1", "/etc"])
def test_names_of_no_take_are_refused(tmp_path, make_take, name):
    project = History(tmp_path / "project")
    project.add(make_take())
    for act in (project.get, project.restore):
        with pytest.raises(ProjectError, match="take must be"):
            act(name)


def test_the_draft_is_remembered(tmp_path):
    assert History(tmp_path).draft == {}
    History(tmp_path).draft = {"song": {"caption": "雨"}, "seeds": [7]}
    assert History(tmp_path).draft == {"song": {"caption": "雨"}, "seeds": [7]}
    for damaged in ("{", "[1]", "[" * 100_000):
        (tmp_path / "draft.json").write_text(damaged)
        assert History(tmp_path).draft == {}, "a damaged draft does not keep the project from opening"


def test_half_letters_are_kept(tmp_path, make_take):
    """As names of files that are not UTF-8 have them, and text that a browser has cut."""
    project = History(tmp_path / "caf\udce9")
    project.draft = {"lyrics": "\ud83d"}
    assert project.draft == {"lyrics": "\ud83d"}
    source = Source.of(make_take().audio, "caf\udce9.wav")
    kept = project.add(replace(make_take(), edit=Edit(task="cover", sources=(source,)), parent="x\udce9"))
    assert (kept.edit.sources[0].name, kept.parent) == ("caf?.wav", "x\udce9")
    assert (kept.folder / "take.json").read_bytes().decode("utf-8")
    assert [entry.parent for entry in History(project.folder).entries] == ["x\udce9"]


def test_one_damaged_record_does_not_hide_the_others(tmp_path, make_take):
    project = History(tmp_path)
    damaged, whole = project.add(make_take()), project.add(make_take())
    (damaged.folder / "take.json").write_text("{")
    assert project.takes == (whole,)
    assert list(project.unreadable) == [damaged.name] and "take.json" in project.unreadable[damaged.name]
    assert project.add(make_take()).name.startswith("0003_")


def test_foreign_folders_are_left_alone(tmp_path, make_take):
    project = History(tmp_path)
    for name in ("notes", "0001", ".DS_Store", "x_0002_s1"):
        (tmp_path / "takes" / name).mkdir()
    project.add(make_take())
    assert len(History(tmp_path)) == 1 and (tmp_path / "takes" / "notes").is_dir()


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"schema": 99}', "{}", pytest.param("[" * 100_000, id="deep")]
)
def test_a_project_of_another_kind_is_refused_and_left_alone(tmp_path, content):
    (tmp_path / "project.json").write_text(content)
    with pytest.raises(ProjectError, match=r"project") as caught:
        History(tmp_path)
    assert caught.value.remedy and (tmp_path / "project.json").read_text() == content


def test_the_language_is_kept_and_the_rest_of_the_project_with_it(tmp_path):
    project = History(tmp_path)
    assert project.locale == ""
    before = json.loads((tmp_path / "project.json").read_text())
    project.locale = "ja"
    assert json.loads((tmp_path / "project.json").read_text()) == before | {"locale": "ja"}
    assert History(tmp_path).locale == "ja"
    (tmp_path / "project.json").unlink()
    project.locale = "zh"
    assert History(tmp_path).locale == "zh"
    (tmp_path / "project.json").write_text("{")
    assert project.locale == "", "one that cannot be read is none"
    (tmp_path / "project.json").unlink()
    (tmp_path / "project.json").mkdir()
    assert project.locale == ""


def test_a_full_disk_loses_nothing(tmp_path, make_take, monkeypatch):
    project = History(tmp_path)
    before = project.add(make_take())
    real = history.write_synced

    def full(path, data):
        if path.name == "latents.safetensors":
            real(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    take = make_take(seed=8)
    with monkeypatch.context() as patch:
        patch.setattr(history, "write_synced", full)
        with pytest.raises(ProjectError, match="free space") as caught:
            project.add(take)
    assert caught.value.remedy and str(tmp_path) in str(caught.value)
    assert list(project) == [before] and not litter(tmp_path)
    assert project.add(take).seed == 8, "the take is still whole and can be added when there is space"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes to set")
def test_a_disk_that_really_takes_no_more_loses_nothing(tmp_path):
    body = """
        import resource, signal
        from acestep_nb import History, ProjectError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        project = History(sys.argv[1])
        project.add(make_take(seed=1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        try:
            project.add(make_take(seed=2, seconds=2))
        except ProjectError as error:
            print(error.field, len(project))
    """
    assert script(body, tmp_path).communicate(timeout=60)[0] == "project 1\n"
    assert len(History(tmp_path)) == 1 and not litter(tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path, make_take, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ProjectError, match="read and write") as caught:
        History(tmp_path / "file")
    assert caught.value.field == "project" and caught.value.remedy

    project = History(tmp_path / "project")

    def denied(self, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", denied)
    for act in (lambda: project.add(make_take()), lambda: History(tmp_path / "other")):
        with pytest.raises(ProjectError, match="Permission denied"):
            act()


def test_a_writer_killed_in_the_middle_leaves_no_broken_take(tmp_path, make_take):
    project = History(tmp_path)
    before = project.add(make_take())
    body = """
        import time
        from acestep_nb import History, history
        real = history.write_synced
        def half(path, data):
            real(path, data[: len(data) // 2])
            if path.name == "audio.flac":
                print("half", flush=True)
                time.sleep(60)
        history.write_synced = half
        History(sys.argv[1]).add(make_take(seed=9))
    """
    writer = script(body, tmp_path)
    assert writer.stdout.readline() == "half\n"
    assert len(litter(tmp_path)) > 0, "the writer is in the middle of its take"
    assert list(project) == [before], "a take that is half written is not seen"
    writer.kill()
    writer.wait()
    again = History(tmp_path)
    assert list(again) == [before] and not litter(tmp_path)
    assert again.add(make_take(seed=10)).name.startswith("0002_")


def test_opening_a_project_does_not_disturb_a_writer(tmp_path):
    body = """
        import time
        from acestep_nb import History, history
        real = history.write_synced
        def slow(path, data):
            real(path, data)
            if path.name == "take.json":
                print("begun", flush=True)
                time.sleep(0.5)
        history.write_synced = slow
        History(sys.argv[1]).add(make_take())
    """
    writer = script(body, tmp_path)
    assert writer.stdout.readline() == "begun\n"
    assert len(History(tmp_path)) == 1, "opening waits until the take is there"
    assert writer.wait(timeout=60) == 0


def test_writers_killed_at_any_moment_leave_only_whole_takes(tmp_path):
    body = """
        from acestep_nb import History
        project = History(sys.argv[1])
        print("open", flush=True)
        while True:
            project.add(make_take(seconds=2))
            project.draft = {"takes": len(project)}
    """
    seen = 0
    for moment in (0.05, 0.12, 0.21, 0.3):
        writer = script(body, tmp_path)
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(timeout=moment)
        writer.kill()
        writer.wait()
        project = History(tmp_path)
        assert not project.unreadable and len(project) >= seen
        assert all(take.audio.duration == 2 and take.latents.shape == (50, 64) for take in project)
        assert not [path for path in litter(tmp_path) if path.name.startswith(".unfinished")]
        seen = len(project)
    assert seen > 0, "the writers got somewhere"


def test_two_processes_add_without_collision(tmp_path):
    body = """
        import time
        from acestep_nb import History
        number = History._next_number
        def slow(self):
            found = number(self)
            time.sleep(0.05)  # so that the other one surely comes in between, if it can
            return found
        History._next_number = slow
        project = History(sys.argv[1])
        for _ in range(6):
            project.add(make_take(seed=7))
    """
    writers = [script(body, tmp_path), script(body, tmp_path)]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    project = History(tmp_path)
    assert sorted(int(take.name[:4]) for take in project) == list(range(1, 13))
    assert not project.unreadable and not litter(tmp_path)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("Rainy night, lo-fi!", "rainy-night-lo-fi"),
        ("../../etc/passwd", "etc-passwd"),
        ("钢琴民谣，女声", "钢琴民谣-女声"),
        ("बारिश की रात", "बारिश-की-रात"),
        ("CON", "con"),
        ("  ", "untitled"),
        ("🎹🎹", "untitled"),
        ("a\x00b\\c:d*e", "a-b-c-d-e"),
        ("x" * 300, "x" * 40),
    ],
)
def test_slugs_are_safe_file_names(text, piece):
    assert slug(text) == piece


def test_captions_never_lead_out_of_the_folder(tmp_path, make_take):
    take = History(tmp_path / "project").add(make_take(caption="../../../../tmp/evil\\x"))
    assert take.folder.parent == tmp_path / "project" / "takes"
    assert re.fullmatch(r"0001_tmp-evil-x_s7", take.name)


def test_a_bare_project_name_is_a_folder_below_projects():
    assert project_folder("Rainy night") == Path("projects/rainy-night")
    assert project_folder("..") == Path("projects/untitled")
    assert project_folder("songs/rain") == Path("songs/rain")
    assert project_folder(Path("rain")) == Path("rain")
    assert project_folder("~/rain") == Path.home() / "rain"
