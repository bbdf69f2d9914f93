import json
import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from helpers_songs import write_songs
from test_history import script as process

from acestep_nb import Audio, Edit, History, InputError, ProjectError, Song, exports
from acestep_nb.adapters.uses import AdapterUse
from acestep_nb.edits import Source
from acestep_nb.exports import FORMATS, SOUNDS, export
from acestep_nb.scores.keeping import SCORES, keep
from acestep_nb.scores.values import Line, Scores, Signal
from acestep_nb.takes import Take

SIGNAL = Signal(None, None, 0.0, 0.0, None, None, {})


def scored(take):
    keep(take.folder, Scores("la la", SIGNAL, lines=(Line("la la", 1.5, 2.5, 0.4),)))
    return take


def song_of(seconds: float) -> Audio:
    time = np.arange(int(48_000 * seconds)) / 48_000
    return Audio(0.4 * np.sin(2 * np.pi * 440 * time)[None].repeat(2, 0), 48_000)


@pytest.mark.parametrize("format", SOUNDS)
@pytest.mark.parametrize("kept", [True, False])
def test_the_sound_is_the_same_in_every_format(tmp_path, make_take, format, kept):
    take = replace(make_take(), audio=song_of(3.3))
    take = History(tmp_path / "project").add(take) if kept else take
    (file,) = take.export(tmp_path / f"song.{format}")
    back = Audio.load(file)
    lossless = format in ("flac", "wav")
    assert (len(back.samples), back.rate) == (2, 48_000)
    assert back.duration == pytest.approx(3.3, abs=0 if lossless else 0.08)
    if lossless:
        assert np.abs(back.samples - take.audio.samples).max() <= 2**-23
    spectrum = np.abs(np.fft.rfft(back.samples[0, 24_000:72_000]))
    assert spectrum.argmax() == 440 and back.peak == pytest.approx(0.4, abs=0.02)


def test_a_folder_gets_a_file_for_each_format(tmp_path, make_take):
    take = scored(History(tmp_path / "project").add(make_take()))
    files = take.export(tmp_path / "new" / "songs", *FORMATS)
    assert [file.name for file in files] == [f"{take.name}.{format}" for format in FORMATS]
    assert sorted(os.listdir(tmp_path / "new" / "songs")) == sorted(file.name for file in files)
    text = {file.suffix: file.read_text("utf-8") for file in files if file.suffix[1:] not in SOUNDS}
    assert text[".lrc"] == "[00:01.50]la la\n" and "00:00:01,500" in text[".srt"]
    assert text[".vtt"].startswith("WEBVTT") and json.loads(text[".json"])["seeds"]["noise"] == 7


def test_half_letters_do_not_become_escapes_in_subtitles(tmp_path, make_take):
    take = History(tmp_path / "project").add(make_take())
    file = scored(take).folder / SCORES  # changed by hand
    file.write_text(file.read_text("utf-8").replace("la la", "caf\\udce9"), "utf-8")
    texts = [file.read_text("utf-8") for file in take.export(tmp_path, "lrc", "srt", "vtt")]
    assert all("caf?\n" in text and "\\" not in text for text in texts)


@pytest.mark.parametrize("caption", ["../../../etc/passwd", "C:\\evil", "/abs", "a\x00b", "CON", ""])
def test_names_stay_in_their_folder(tmp_path, make_take, caption):
    (file,) = export(make_take(caption=caption), tmp_path / "out", "json")
    assert file.parent == tmp_path / "out" and os.listdir(tmp_path / "out") == [file.name]
    assert file.name.endswith("_s7.json")


@pytest.mark.parametrize(
    ("to", "formats"), [("song", ()), ("song.xyz", ()), ("song", ("xyz",)), ("song", ("../x",))]
)
def test_formats_that_there_are_not_are_told(tmp_path, make_take, to, formats):
    with pytest.raises(InputError, match="format must be") as caught:
        make_take().export(tmp_path / to, *formats)
    assert caught.value.remedy and not list(tmp_path.glob("*.*"))


def test_lyrics_without_times_are_told(tmp_path, make_take):
    take = History(tmp_path / "project").add(make_take())
    with pytest.raises(InputError, match="not scored"):
        take.export(tmp_path / "song.lrc")
    keep(take.folder, Scores("", SIGNAL, notes=("instrumental",)))
    with pytest.raises(InputError, match="instrumental"):
        take.export(tmp_path / "song.srt")
    assert not list(tmp_path.glob("song*"))


def test_damaged_sound_leaves_what_was_there(tmp_path, make_take):
    take = History(tmp_path / "project").add(make_take())
    (tmp_path / "song.mp3").write_bytes(b"before")
    data = (take.folder / "audio.flac").read_bytes()
    for damaged in (b"nothing", data[: len(data) // 2]):
        (take.folder / "audio.flac").write_bytes(damaged)
        with pytest.raises(ProjectError, match="damaged"):
            take.export(tmp_path / "song.mp3")
        assert (tmp_path / "song.mp3").read_bytes() == b"before"
    (take.folder / "audio.flac").unlink()
    with pytest.raises(ProjectError, match=r"audio\.flac"):
        take.export(tmp_path / "song.mp3")
    assert sorted(os.listdir(tmp_path)) == ["project", "song.mp3"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path, make_take):
    (tmp_path / "file").write_text("in the way")
    for to, formats in (
        (tmp_path / "file", ("wav",)),
        (tmp_path / "file" / "song.wav", ()),
        (tmp_path / "no" / "x.json", ()),
    ):
        with pytest.raises(ProjectError) as caught:
            make_take().export(to, *formats)
        assert caught.value.field == "path"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes to set")
def test_a_full_disk_leaves_no_half_song(tmp_path):
    body = """
        import resource, signal
        from acestep_nb import ProjectError
        from acestep_nb.exports import SOUNDS
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        take = make_take(seconds=20)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))
        for format in SOUNDS:
            try:
                take.export(f"{sys.argv[1]}/song.{format}")
            except ProjectError as error:
                print(format, error.field)
    """
    assert process(body, tmp_path).communicate(timeout=60)[0] == "".join(f"{one} path\n" for one in SOUNDS)
    assert os.listdir(tmp_path) == []


def test_sound_that_a_format_cannot_hold_is_told(tmp_path):
    with pytest.raises(InputError, match=r"\.mp3") as caught:
        Audio(np.zeros((2, 960)), 96_000).save(tmp_path / "song.mp3")
    assert caught.value.remedy and os.listdir(tmp_path) == []


@pytest.mark.parametrize("format", SOUNDS)
def test_ten_minutes_need_no_more_memory_than_one(tmp_path, make_take, format):
    project = History(tmp_path)
    take = project.add(make_take())
    whole = Audio(np.tile(song_of(1.0).samples, 60), 48_000)
    whole.save(take.folder / "audio.flac")
    tracemalloc.start()
    try:
        take.export(tmp_path / f"song.{format}")
        assert tracemalloc.get_traced_memory()[1] < 6e6, "a second of stereo is 0.4 MB, the song 23 MB"
    finally:
        tracemalloc.stop()
    assert soundfile.info(tmp_path / f"song.{format}").duration == pytest.approx(60, abs=0.1)


def test_a_script_names_where_its_adapters_are(tmp_path, make_take):
    use = AdapterUse("mine", 0.5, "sha256:0", "owner/name")
    take = replace(make_take(), adapters=(use,))
    assert 'engine.adapters.load("owner/name", name="mine", scale=0.5)' in exports.script(take)
    with pytest.raises(InputError, match="not known") as caught:
        replace(take, adapters=(replace(use, source=""),)).export(tmp_path / "song.py")
    assert caught.value.field == "adapters" and caught.value.remedy and not list(tmp_path.iterdir())


def cover_of(project: History, take: Take, source: Source) -> Take:
    return project.add(replace(take, edit=Edit(task="cover", sources=(source,)), song=Song(caption="jazz")))


def test_the_script_of_a_take_names_its_sources(tmp_path, make_take):
    project = History(tmp_path)
    first = project.add(make_take())
    text = exports.script(cover_of(project, make_take(), Source.of(first.audio, first.name)))
    assert f'History("{tmp_path}").get("{first.name}")' in text and "engine.cover(" in text
    compile(text, "song.py", "exec")
    sound = song_of(1.2)
    file = project.keep_source(sound)
    child = replace(cover_of(project, make_take(), Source.of(sound, "mine.flac")), reference=Source.of(sound))
    text = exports.script(child)
    assert text.count(str(file)) == 2 and "reference_audio" in text


def test_a_script_without_its_source_is_told(tmp_path, make_take):
    project = History(tmp_path)
    child = cover_of(project, make_take(), Source("mine.flac", "0" * 64, 3.0))
    with pytest.raises(ProjectError, match=r"mine\.flac"):
        child.export(tmp_path / "song.py")
    with pytest.raises(InputError, match="not kept"):
        exports.script(replace(child, folder=None, audio=song_of(1), latents=np.zeros((25, 64), np.float32)))


@pytest.mark.parametrize("adapted", [False, True])
def test_a_script_makes_the_same_take_in_another_process(tmp_path, adapted):
    from acestep_nb import Engine, LoraOptions, RenderOptions

    engine = Engine.load("nano", planner=False)
    project = History(tmp_path / "project")
    song = Song(caption="drums, 120 bpm", lyrics="[Instrumental]", duration=10)
    how = {"seeds": [7], "options": RenderOptions(inference_steps=1)}
    if adapted:
        songs = write_songs(tmp_path / "songs", count=1)
        quick = LoraOptions(rank=4, alpha=8, epochs=2, learning_rate=0.05)
        engine.adapters.load(engine.adapters.train(songs, tmp_path / 'my "lo\\ra"', quick).adapter, scale=0.5)
        engine.adapters.load(tmp_path / 'my "lo\\ra"', name="again", scale=1)
    (take,) = engine.generate(song, **how)
    engine.adapters.unload()
    assert np.array_equal(take.latents, engine.generate(song, **how)[0].latents) != adapted
    (file,) = project.add(take).export(tmp_path / "song.py")
    run = f"exec(open({str(file)!r}).read()); takes[0].export({str(tmp_path / 'again.flac')!r})"
    subprocess.run([sys.executable, "-c", run], check=True, timeout=120, cwd=tmp_path)
    take.export(tmp_path / "first.flac")
    assert (tmp_path / "again.flac").read_bytes() == (tmp_path / "first.flac").read_bytes()
