"""Marks, the index, pages and sources of a project; and that no kill at any moment harms it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.history import fill
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_history import script

from acestep_nb import Audio, History, InputError, ProjectError, index
from acestep_nb.edits import Source
from acestep_nb.index import Entry, listed
from acestep_nb.marks import Marks, change_marks, read_marks
from acestep_nb.scores.keeping import keep
from acestep_nb.scores.values import Scores, Signal

SIGNAL = Signal(None, None, 0.0, 0.0, None, None, {})


def settle(project: History) -> None:
    """Let the folders be as old as they would be a minute later."""
    past = time.time() - 60
    for folder in (project.folder / "takes").iterdir():
        os.utime(folder, (past, past))


def opened_by(monkeypatch, work) -> list[str]:
    """Names of the takes that are opened while the work is done."""
    names, real = [], index.read_take
    monkeypatch.setattr(index, "read_take", lambda folder: (names.append(folder.name), real(folder))[1])
    work()
    monkeypatch.setattr(index, "read_take", real)
    return names


def test_marks_stay_on_the_disk(tmp_path, make_take):
    project = History(tmp_path)
    take = project.add(make_take())
    assert project.marks(take) == Marks()
    assert project.mark(take, starred=True, note="鼓 late") == Marks(starred=True, note="鼓 late")
    assert History(tmp_path).marks(take) == Marks(starred=True, note="鼓 late")
    assert project.mark(take, rejected=True) == Marks(rejected=True, note="鼓 late"), "no longer a good one"
    assert project.mark(take, starred=True).rejected is False
    project.remove(take)
    assert project.marks(project.restore(take.name)).starred


def test_a_star_of_old_is_still_one(tmp_path, make_take):
    project = History(tmp_path)
    take = project.add(make_take())
    (take.folder / "starred").touch()
    assert project.starred == {take.name}
    project.unstar(take)
    assert project.starred == frozenset()


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"schema": 9}', '{"schema": 1, "mood": 3}', "\xff", pytest.param("[" * 100_000, id="deep")],
)
def test_damaged_marks_are_none(tmp_path, content):
    (tmp_path / "marks.json").write_text(content, "latin-1")
    assert read_marks(tmp_path) == Marks()


@pytest.mark.parametrize("changes", [{"mood": 1}, {"starred": 1}, {"note": "x" * 2001}, {"note": None}])
def test_a_mark_that_cannot_be_is_told(tmp_path, changes):
    with pytest.raises(InputError):
        change_marks(tmp_path, **changes)
    with pytest.raises(InputError, match="not both"):
        change_marks(tmp_path, starred=True, rejected=True)
    assert not os.listdir(tmp_path)


def test_a_list_knows_every_take(tmp_path, make_take):
    project = History(tmp_path)
    first = project.add(make_take(seed=1, caption="雨"))
    second = project.add(replace(make_take(seed=2), parent=first.name))
    project.mark(second, note="good")
    keep(first.folder, Scores("la", SIGNAL, lyrics_alignment=0.4, quality=0.6))
    new, old = History(tmp_path).entries
    assert old == Entry(first.name, first.created, "text2music", 1, "雨", None, 0.4, 0.6, Marks())
    assert (new.name, new.parent, new.marks.note) == (second.name, first.name, "good")
    (first.folder / "scores.json").write_text("{")
    assert History(tmp_path).entries[1].quality is None


def test_the_index_opens_a_take_once_and_again_when_it_changed(tmp_path, make_take, monkeypatch):
    project = History(tmp_path)
    takes = [project.add(make_take(seed=seed)) for seed in (1, 2, 3)]
    names = [take.name for take in reversed(takes)]
    assert opened_by(monkeypatch, lambda: project.entries) == names
    assert opened_by(monkeypatch, lambda: project.entries) == names, "so young that they may still change"
    settle(project)
    assert opened_by(monkeypatch, lambda: project.entries) == names
    assert opened_by(monkeypatch, lambda: (project.entries, History(tmp_path).entries)) == []
    other = History(tmp_path)
    other.mark(takes[1], starred=True)
    assert opened_by(monkeypatch, lambda: project.entries) == [takes[1].name]
    assert project.starred == {takes[1].name}
    project.remove(takes[0])
    assert [entry.name for entry in History(tmp_path).entries] == names[:2]


@pytest.mark.parametrize("damage", [b"", b"{\n[]\n3\n\xff\n", None, b'{"stamp": [1, 2], "name": 3}\n'])
def test_a_lost_or_damaged_index_is_made_again(tmp_path, make_take, damage):
    project = History(tmp_path)
    takes = [project.add(make_take(seed=seed)) for seed in (1, 2)]
    settle(project)
    whole = project.entries
    file = tmp_path / "index.jsonl"
    if damage is None:
        file.write_bytes(file.read_bytes()[:-20])  # a kernel was killed while it wrote
    else:
        file.write_bytes(damage)
    assert History(tmp_path).entries == whole
    assert History(tmp_path).entries == whole and len(takes) == 2
    assert file.read_bytes().count(b'"name"') == 2


def test_an_index_that_cannot_be_written_is_missed_by_nobody(tmp_path, make_take):
    (tmp_path / "index.jsonl").mkdir()
    project = History(tmp_path)
    take = project.add(make_take())
    settle(project)
    assert [entry.name for entry in project.entries] == [take.name]


def test_the_index_does_not_grow_for_ever(tmp_path, make_take):
    project = History(tmp_path)
    take = project.add(make_take())
    for i in range(8):
        project.mark(take, note=str(i))
        settle(project)
        os.utime(take.folder, (i, i))
        assert History(tmp_path).entries[0].marks.note == str(i)
    assert len((tmp_path / "index.jsonl").read_bytes().split(b"\n")) < 8


def entry(name: str, score: float | None = None, marks: Marks = Marks()) -> Entry:  # noqa: B008
    return Entry(name, "", "text2music", 1, "", None, score, None, marks)


def test_lists_are_sorted_and_filtered():
    good, bad = entry("d", 0.9, Marks(starred=True)), entry("c", 0.1, Marks(rejected=True))
    none, same = entry("b"), entry("a", 0.9)
    entries = (good, bad, none, same)
    assert listed(entries) == [good, bad, none, same]
    assert listed(entries, "oldest") == [same, none, bad, good]
    assert listed(entries, "lyrics_alignment") == [good, same, bad, none]
    assert listed(entries, show="kept") == [good, none, same]
    assert listed(entries, show="starred") == [good] and listed(entries, show="rejected") == [bad]
    for wrong in ({"by": "mood"}, {"show": "mood"}):
        with pytest.raises(InputError, match="must be"):
            listed(entries, **wrong)


def test_a_page_opens_only_its_takes(tmp_path, make_take, monkeypatch):
    from acestep_nb import history

    project = History(tmp_path)
    takes = [project.add(make_take(seed=seed)) for seed in range(1, 8)]
    (takes[5].folder / "take.json").write_text("{")
    settle(project)
    assert [take.seed for take in project.page(0, 3)] == [7, 5], "a damaged take is left out"
    assert [take.seed for take in project.page(5, 3)] == [2, 1] and project.page(7) == []
    project.mark(takes[2], starred=True)
    assert [take.seed for take in project.page(by="oldest", count=2)] == [1, 2]
    assert project.entries and len(project.entries) == 6
    names, real = [], history.read_take
    monkeypatch.setattr(history, "read_take", lambda folder: (names.append(folder.name), real(folder))[1])
    assert [take.seed for take in project.page(show="starred")] == [3] and names == [takes[2].name]


def test_a_big_project_opens_at_once(tmp_path):
    """`tests/benchmarks/history.py` measures 10,000; here a tenth, with room for a busy machine."""
    fill(tmp_path, 1000)
    assert len(History(tmp_path).entries) == 1000
    began = time.perf_counter()
    project = History(tmp_path)
    first, middle = project.page(by="lyrics_alignment"), project.page(500)
    assert (len(first), len(middle)) == (24, 24) and time.perf_counter() - began < 1


@given(
    st.lists(st.integers(-(2**23), 2**23 - 1) | st.floats(-4, 4, width=32), min_size=1, max_size=40),
    st.integers(1, 9),
    st.sampled_from([1, 8_000, 44_100, 48_000, 655_350, 700_000]),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_source_comes_back_sample_by_sample(tmp_path, values, channels, rate):
    samples = np.array([value / 2**23 if isinstance(value, int) else value for value in values], np.float32)
    sound = Audio(np.tile(samples, (channels, 1)), rate)
    project = History(tmp_path)
    file = project.keep_source(sound)
    record = Source.of(sound, "song.mp3")
    assert project.source(record) == file == project.keep_source(sound) and record.sha256 in file.name
    assert Source.of(Audio.load(file)).sha256 == record.sha256


def test_usual_sounds_are_kept_as_flac(tmp_path, make_take):
    project = History(tmp_path)
    take = project.add(make_take())
    assert project.keep_source(take.audio).suffix == ".flac"
    project.remove(take)
    assert project.source(Source.of(take.audio, take.name)).parent.name == "sources"


def test_a_source_is_found_by_hash_or_as_a_take(tmp_path, make_take):
    project = History(tmp_path)
    take = project.add(make_take())
    assert project.source(Source.of(take.audio, take.name)) == take
    for name, digest in [("song.flac", "0" * 64), ("../..", "*"), ("0009_x_s1", "?" * 64), ("", "")]:
        with pytest.raises(ProjectError, match="does not have") as caught:
            project.source(Source(name, digest, 1.0))
        assert caught.value.remedy


def test_two_kernels_mark_and_list_one_project(tmp_path, make_take):
    project = History(tmp_path)
    take = project.add(make_take(seed=5))
    body = """
        from acestep_nb import History
        for i in range(30):
            project = History(sys.argv[1])
            take = project.get(sys.argv[2])
            project.mark(take, note=f"{sys.argv[3]} {i}")
            project.draft = {"by": sys.argv[3], "i": i}
            assert project.marks(take).note.split()[1].isdecimal(), "a half written note"
            assert len(project.entries) >= 1 and project.draft["by"] in "ab"
            if i % 10 == 0:
                project.add(make_take(seed=i))
    """
    writers = [script(body, tmp_path, take.name, who) for who in "ab"]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    assert len(History(tmp_path).entries) == 7 and not project.unreadable


SESSION = """
    import os, random, signal, time
    from pathlib import Path
    from acestep_nb import History
    from acestep_nb.scores.keeping import keep
    from acestep_nb.scores.values import Scores, Signal

    def work(out):
        project = History(sys.argv[1])
        while True:
            take = project.add(make_take(seed=random.randrange(99), seconds=0.5))
            os.write(out, f"{take.name}\\n".encode())
            project.mark(take, starred=True, note="x" * random.randrange(900))
            project.draft = {"caption": "y" * random.randrange(5000)}
            keep(take.folder, Scores("la", Signal(None, None, 0.0, 0.0, None, None, {}), quality=0.5))
            project.keep_source(take.audio)
            project.entries
            other = project.add(make_take())
            project.remove(other)
            project.restore(other.name)
            os.write(out, f"{other.name}\\n".encode())

    for i in range(50):
        mine, theirs = os.pipe()
        child = os.fork()
        if not child:
            try:
                work(theirs)
            finally:
                os._exit(1)
        os.close(theirs)
        time.sleep(random.Random(i).uniform(0.0, 0.25))
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, "it worked until then"
        done = os.read(mine, 1 << 16).decode().split()
        os.close(mine)
        project = History(sys.argv[1])
        assert not project.unreadable, project.unreadable
        names = {entry.name for entry in project.entries}
        assert set(done) <= names and len(project) == len(names)
        assert not list(Path(sys.argv[1], "takes").glob(".unfinished*"))
        for name in done:
            take = project.get(name)
            assert take.audio.duration >= 0.2 and len(take.latents) and len(take.peaks) == 800
            project.marks(take), take.scores, project.draft
        print(len(names), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork, and has no kill -9")
def test_a_kernel_killed_at_fifty_moments_harms_nothing(tmp_path):
    head = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from helpers import make_take\n"
    run = [sys.executable, "-c", head + textwrap.dedent(SESSION), str(tmp_path)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    counts = [int(line) for line in done.stdout.split()]
    assert len(counts) == 50 and counts[-1] > 10, "the kernels got somewhere, also on a busy machine"
    kept = History(tmp_path)
    for take in kept.takes:
        assert Source.of(take.audio).duration > 0 and json.loads(take.to_json())
    for file in (tmp_path / "sources").glob("*.flac"):
        assert Source.of(Audio.load(file)).sha256 == file.stem
