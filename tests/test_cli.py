import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import acestep_nb
from acestep_nb import Audio, Edit, History, RenderOptions, RepaintOptions, Song, cli
from acestep_nb.kinds import KINDS
from acestep_nb.knobs import knobs
from acestep_nb.options import resolved


def run(capsys, *words: object) -> tuple[int, str, str]:
    code = cli.main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def one_object(text: str) -> dict:
    """The one JSON object that all of `text` is."""
    found = json.loads(text)
    assert isinstance(found, dict) and text.count("\n") == 1
    return found


def start(*words: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "acestep_nb", *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def test_generate_keeps_takes_and_prints_one_object(capsys, tmp_path, tiny_checkpoint):
    lyrics = tmp_path / "words.txt"
    lyrics.write_text("\ufeff[Verse]\r\n月光洒在窗台上\n", encoding="utf-8")
    code, out, err = run(
        capsys,
        *(
            "generate",
            "--caption",
            "piano ballad",
            "--lyrics-file",
            lyrics,
            "--duration",
            10,
            "--seeds",
            "7,8",
        ),
        *("--bpm", 76, "--keyscale", "Am", "--timesignature", "4/4", "--vocal-language", "zh"),
        *(
            "--inference-steps",
            2,
            "--shift",
            2.5,
            "--model",
            tiny_checkpoint,
            "--project",
            tmp_path / "p",
            "--json",
        ),
    )
    assert code == 0, err
    result = one_object(out)
    project = History(tmp_path / "p")
    takes = {take.seed: take for take in project}
    assert [take["seed"] for take in result["takes"]] == [7, 8] and set(takes) == {7, 8}
    for told in result["takes"]:
        take = takes[told["seed"]]
        assert (told["name"], told["folder"]) == (take.name, str(take.folder))
        assert Path(told["file"]).read_bytes() == take.flac_bytes()
        assert told["duration"] == 10 and told["timings"] == dict(take.timings) != {}
    assert takes[7].song == Song(
        caption="piano ballad",
        lyrics="[Verse]\n月光洒在窗台上\n",
        vocal_language="zh",
        bpm=76,
        keyscale="A minor",
        timesignature="4",
        duration=10,
    )
    assert takes[7].options == resolved(
        RenderOptions(inference_steps=2, shift=2.5), KINDS["turbo-continuous"]
    )
    assert "rendering take 2 of 2 · step 1/2" in err


def test_generate_without_json_names_the_files(capsys, tmp_path, tiny_checkpoint):
    words = ("--duration", 10, "--inference-steps", 1, "--model", tiny_checkpoint, "--project", tmp_path)
    code, out, _ = run(capsys, "generate", "--caption", "jazz", *words)
    (take,) = History(tmp_path)
    assert code == 0 and out == f"seed {take.seed}: {take.folder / 'audio.flac'}\n"


def test_generate_reworks_a_file_and_a_take(capsys, tmp_path, tiny_checkpoint):
    sound = Audio(np.random.default_rng(1).uniform(-0.5, 0.5, (2, 96_000)), 48_000)
    how = ("--seeds", 3, "--inference-steps", 1, "--model", tiny_checkpoint, "--project", tmp_path / "p")
    file = sound.save(tmp_path / "song.wav")
    words = (
        "--task",
        "cover",
        "--source",
        file,
        "--strength",
        0.5,
        "--quantize",
        "false",
        "--caption",
        "jazz",
    )
    assert run(capsys, "generate", *words, *how)[0] == 0
    (cover,) = History(tmp_path / "p")
    assert cover.task == "cover" and cover.edit.sources[0].name == "song.wav" and not cover.edit.quantize
    assert cover.options.audio_cover_strength == 0.5 and cover.duration == 2
    words = ("--task", "repaint", "--source", cover.name, "--region", "1.2,", "--repaint-strength", 0.2)
    assert run(capsys, "generate", *words, "--context", 1, *how)[0] == 0
    repaint = History(tmp_path / "p").takes[0]
    assert repaint.parent == cover.name and repaint.edit == Edit(
        task="repaint",
        sources=repaint.edit.sources,
        region=(1.2, 2),
        repaint=RepaintOptions(repaint_strength=0.2),
        context=1,
    )
    assert np.array_equal(repaint.audio.samples[:, :50_000], cover.audio.samples[:, :50_000])
    words = ("--task", "complete", "--source", file, "--tracks", "drums, Backing vocals")
    assert run(capsys, "generate", *words, *how)[0] == 0
    assert History(tmp_path / "p").takes[0].edit.tracks == ("drums", "backing_vocals")


BAD = {
    "task": ["--task", "remix", "--source", "sound.wav"],
    "source": ["--task", "cover", "--source", "nowhere.wav"],
    "region": ["--task", "repaint", "--source", "sound.wav", "--region", "3,2"],
    "tracks": ["--caption", "a", "--tracks", "drums"],
    "quantize": ["--task", "lego", "--source", "sound.wav", "--quantize", "false"],
    "repaint_mode": ["--task", "repaint", "--source", "sound.wav", "--repaint-mode", "firm"],
    "bpm": ["--caption", "a", "--bpm", "9" * 5_000],
    "duration": ["--caption", "a", "--duration", "10000"],
    "shift": ["--caption", "a", "--shift", "much"],
    "inference_steps": ["--caption", "a", "--inference-steps", "2.5"],
    "keyscale": ["--caption", "a", "--keyscale", "H"],
    "timesignature": ["--caption", "a", "--timesignature", "5/4"],
    "vocal_language": ["--caption", "a", "--vocal-language", "klingon"],
    "lyrics": ["--lyrics", "x" * 100_000],
    "caption": [],
    "seeds": ["--caption", "a", "--seeds", "7,x"],
    "lyrics_file": ["--lyrics-file", "nowhere.txt"],
    "checkpoint": ["--caption", "a", "--model", "no-such-model"],
    "project": ["--caption", "a", "--project", __file__],
    "arguments": ["--caption", "a", "--tempo", "90"],
}


@pytest.mark.parametrize("field", BAD)
def test_bad_input_is_one_clear_line_and_code_2(capsys, tmp_path, monkeypatch, field):
    monkeypatch.chdir(tmp_path)
    Audio(np.full((2, 96_000), 0.5), 48_000).save(tmp_path / "sound.wav")
    code, out, err = run(capsys, "generate", *BAD[field])
    assert code == 2 and out == ""
    last = err.splitlines()[-1]
    assert field.replace("arguments", "tempo") in last and "Traceback" not in err

    code, out, _ = run(capsys, "generate", *BAD[field], "--json")
    error = one_object(out)["error"]
    assert code == 2 and error["field"] == field and error["message"] == last and error["remedy"]


def test_lyrics_are_given_once(capsys):
    code, _, err = run(capsys, "generate", "--lyrics", "la", "--lyrics-file", __file__)
    assert code == 2 and "not both" in err


def test_lyrics_files_that_are_no_text_are_refused(capsys, tmp_path):
    (tmp_path / "sound.wav").write_bytes(b"\xff\xfe\x00RIFF")
    code, _, err = run(capsys, "generate", "--lyrics-file", tmp_path / "sound.wav")
    assert code == 2 and "UTF-8" in err


@pytest.mark.parametrize("words", [[], ["sing"], ["doctor", "more"]])
def test_unknown_commands_are_one_line_and_code_2(capsys, words):
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "") and "--help" in err and err.count("\n") == 1


def test_an_unforeseen_error_is_one_line_unless_asked_for(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "History", lambda folder: 1 / 0)
    words = ["generate", "--caption", "a", "--project", tmp_path]
    code, _, err = run(capsys, *words)
    assert code == 2 and err.count("\n") == 1 and "ZeroDivisionError" in err and "--traceback" in err
    with pytest.raises(ZeroDivisionError):
        cli.main([*map(str, words), "--traceback"])


def test_takes_that_were_ready_are_kept_and_told_when_a_later_one_fails(
    capsys, tmp_path, tiny_checkpoint, monkeypatch
):
    real = History.add

    def full_after_one(self, take):
        if len(self) == 1:
            raise acestep_nb.ProjectError("the disk is full", field="project", remedy="Free some space.")
        return real(self, take)

    monkeypatch.setattr(History, "add", full_after_one)
    words = ("--duration", 10, "--inference-steps", 1, "--model", tiny_checkpoint, "--project", tmp_path)
    code, out, _ = run(capsys, "generate", "--caption", "a", "--seeds", "1,2", *words, "--json")
    told = one_object(out)
    assert code == 2 and told["error"]["type"] == "ProjectError"
    assert [take["seed"] for take in told["takes"]] == [1] and len(History(tmp_path)) == 1


def test_eval_prints_the_figures_of_the_model_asked_for(capsys, monkeypatch):
    from acestep_nb.nano import evaluate

    def figures(name, count, on_progress):
        on_progress("song 1 of 2")
        print("judging")
        return {"checkpoint": name, "songs": count}

    monkeypatch.setattr(evaluate, "evaluate", figures)
    code, out, err = run(capsys, "eval", "--songs", 2, "--model", "tiny", "--json")
    assert code == 0 and one_object(out) == {"checkpoint": "tiny", "songs": 2}
    assert err == "song 1 of 2\njudging\n"


@pytest.mark.parametrize("module", ["acestep_nb.nano.evaluate", "pypinyin"])
def test_eval_names_the_extra_that_it_needs(capsys, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    code, _, err = run(capsys, "eval")
    assert code == 2 and err == f'{module} is not installed. Run: pip install "acestep-nb[train]"\n'


@pytest.mark.parametrize("songs", [0, -3])
def test_eval_refuses_to_measure_nothing(capsys, songs):
    code, out, _ = run(capsys, "eval", "--songs", songs, "--json")
    assert code == 2 and one_object(out)["error"]["field"] == "songs"


@pytest.mark.parametrize("owner", [Song, RenderOptions])
def test_the_help_says_what_the_knobs_say(capsys, owner):
    with pytest.raises(SystemExit) as left:
        cli.main(["generate", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert left.value.code == 0
    for name, knob in knobs(owner).items():
        assert f"--{name.replace('_', '-')}" in text and knob.help in text
    assert "30–300 bpm" in text and "10–600 s" in text and "default: apg" in text


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.strip() == acestep_nb.__version__


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_stops_in_words_and_keeps_what_was_ready(tmp_path, tiny_checkpoint):
    words = (
        "--duration",
        60,
        "--inference-steps",
        20,
        "--seeds",
        "1,2,3,4,5,6,7,8",
        "--model",
        tiny_checkpoint,
    )
    process = start("generate", "--caption", "a", *words, "--project", tmp_path, "--json")
    for line in process.stderr:
        if "take 2 of 8 · step" in line:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    told = one_object(out)
    assert process.returncode == 130 and told["error"]["type"] == "Cancelled" and "Traceback" not in err
    assert 1 <= len(told["takes"]) == len(History(tmp_path)) < 8


def test_nano_makes_sound_and_the_same_sound_again(tmp_path):
    words = ["--caption", "piano ballad", "--lyrics", "[Verse]\nla la la", "--duration", 10, "--json"]
    first = start("generate", *words, "--seeds", "7,8", "--project", tmp_path / "first")
    out, err = first.communicate(timeout=300)
    assert first.returncode == 0, err
    second = start("generate", *words, "--seeds", "8", "--project", tmp_path / "second")
    again, err = second.communicate(timeout=300)
    assert second.returncode == 0, err
    seven, eight = (Path(take["file"]) for take in one_object(out)["takes"])
    (eight_again,) = (Path(take["file"]) for take in one_object(again)["takes"])
    assert eight.read_bytes() == eight_again.read_bytes() != seven.read_bytes()
    for file in (seven, eight):
        audio = Audio.load(file)
        assert (audio.rate, len(audio.samples)) == (48_000, 2)
        assert audio.duration == pytest.approx(10, abs=0.1)
        assert 0.01 < audio.peak <= 1 and np.isfinite(audio.samples).all()


def test_python_m_and_the_script_are_the_same_program():
    told = start("--version").communicate(timeout=60)[0].strip()
    assert told == acestep_nb.__version__
    script = Path(sys.executable).with_name("acestep-nb" + (".exe" if os.name == "nt" else ""))
    if script.exists():
        assert subprocess.run([script, "--version"], capture_output=True, text=True).stdout.strip() == told


def test_a_reader_that_has_seen_enough_is_no_mistake():
    command = [sys.executable, "-m", "acestep_nb", "download", "--list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as told:
        told.stdout.close()
        assert (told.stderr.read(), told.wait(60)) == ("", 0)


@pytest.fixture
def unread():
    """What is written to when the reader has gone."""
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        yield stream


@pytest.mark.skipif(os.name == "nt", reason="Windows calls a broken pipe by another name")
def test_progress_that_nobody_reads_stops_and_the_work_goes_on(
    capsys, monkeypatch, unread, tmp_path, tiny_checkpoint
):
    words = ("--duration", 10, "--inference-steps", 1, "--seeds", "1,2", "--model", tiny_checkpoint, "--json")
    monkeypatch.setattr(sys, "stderr", unread)
    code, out, _ = run(capsys, "generate", "--caption", "a", *words, "--project", tmp_path)
    assert code == 0 and len(one_object(out)["takes"]) == len(History(tmp_path)) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows calls a broken pipe by another name")
def test_a_result_that_nobody_reads_keeps_its_code(monkeypatch, unread):
    monkeypatch.setenv("ACESTEP_CHECKPOINTS_DIR", "~no-such-user/models")
    monkeypatch.setattr(sys, "stdout", unread)
    assert cli.main(["doctor"]) == 1


def test_a_pipe_that_breaks_in_the_work_is_told(capsys, monkeypatch):
    def broken():
        raise BrokenPipeError("the hub hung up")

    monkeypatch.setattr(cli.downloading, "listed", broken)
    code, out, err = run(capsys, "download", "--list")
    assert (code, out) == (2, "") and "the hub hung up" in err
