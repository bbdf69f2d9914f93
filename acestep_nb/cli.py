"""The command line: ``acestep-nb lab · generate · download · train-lora · doctor · eval · bench``; knobs word it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import acestep_nb
from acestep_nb import downloading, learning
from acestep_nb.adapters.options import LoraOptions
from acestep_nb.bench import PARTS, figures_of
from acestep_nb.edits import EDIT_TASKS, TRACKS, Edit, RepaintOptions
from acestep_nb.errors import AceStepError, Cancelled, InputError
from acestep_nb.history import History
from acestep_nb.knobs import Knob, knobs
from acestep_nb.options import RenderOptions
from acestep_nb.seeds import SEEDS, fresh_seeds, parse_seeds
from acestep_nb.song import Song
from acestep_nb.sources import opened

if TYPE_CHECKING:
    from acestep_nb.takes import Take

_LONG_LIST = 8
_SHORT = {"audio_cover_strength": ["--strength"]}
_EDIT_KNOBS = ("quantize", "context")
_FAILED, _STOPPED = 2, 130


class _Parser(argparse.ArgumentParser):
    """Raises ``InputError`` where argparse would print its usage and leave."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message, field="arguments", remedy=f"See {self.prog} --help.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, or 2 after one line on stderr that says what to put right."""
    words = list(sys.argv[1:] if argv is None else argv)
    kept: list[dict[str, Any]] = []
    if hasattr(sys.stdout, "reconfigure"):  # a console that cannot show a letter must not stop the work
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        args = _parse(words)
        args.kept = kept
        return int(args.run(args))
    except KeyboardInterrupt:
        return _fail(Cancelled("stopped; takes that were ready are kept"), words, kept, code=_STOPPED)
    except AceStepError as error:
        return _fail(error, words, kept)
    except Exception as error:
        if "--traceback" in words:
            raise
        remedy = "That is a mistake of ours; --traceback shows where."
        return _fail(AceStepError(f"{type(error).__name__}: {error}", remedy=remedy), words, kept)


def _fail(error: AceStepError, words: list[str], kept: list[dict[str, Any]], code: int = _FAILED) -> int:
    _say(" ".join(str(error).split()))
    if "--json" in words:
        _tell(json.dumps({"error": error.to_dict(), "takes": kept}))
    return code


def _parse(words: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="acestep-nb", description="Words become a song.")
    parser.add_argument("--version", action="version", version=acestep_nb.__version__)
    commands = parser.add_subparsers(
        dest="command",
        required=True,
        metavar="lab | generate | download | train-lora | doctor | eval | bench | gallery",
    )

    lab = commands.add_parser("lab", help="open the notebooks in JupyterLab; options go on to JupyterLab")
    lab.set_defaults(run=_lab)

    generate = commands.add_parser(
        "generate", help="render takes of a song and keep them in a project folder"
    )
    for knob_owner in (Song, RenderOptions, RepaintOptions):
        _add_knobs(generate, knob_owner)
    _add_edit(generate)
    generate.add_argument("--lyrics-file", metavar="FILE", help="read the lyrics from this UTF-8 text file")
    generate.add_argument("--seeds", metavar="N,N,…", help=_help(SEEDS, "random"))
    generate.add_argument(
        "--project", metavar="DIR", default="projects/untitled", help="folder that keeps the takes"
    )
    generate.set_defaults(run=_generate)

    fetching = commands.add_parser("download", help="fetch the full-size models, or tell what there is")
    downloading.add_options(fetching)
    fetching.set_defaults(run=_download)

    teach = commands.add_parser("train-lora", help="teach a model the style of your songs")
    learning.add_options(teach)
    _add_knobs(teach, LoraOptions)
    teach.set_defaults(run=_train_lora)

    doctor = commands.add_parser("doctor", help="tell what is installed, on which machine, and what is amiss")
    doctor.set_defaults(run=_doctor)

    measure = commands.add_parser("eval", help="measure how well takes of held-out songs follow their words")
    measure.add_argument("--songs", metavar="N", type=int, default=40, help="how many songs (default: 40)")
    measure.set_defaults(run=_eval)

    bench = commands.add_parser(
        "bench", help="measure how fast a part is beside the library it stands in for"
    )
    bench.add_argument("part", metavar="PART", help=f"what to measure: {', '.join(PARTS)}")
    bench.set_defaults(run=_bench)

    shown = commands.add_parser("gallery", help="render a small sound and a picture for each task")
    shown.add_argument("folder", nargs="?", default="docs/gallery", help="where to (default: docs/gallery)")
    shown.set_defaults(run=_gallery)

    _add_shared(with_model=(generate, teach, measure, shown), others=(fetching, doctor, bench), lab=lab)
    args, rest = parser.parse_known_args(words)
    if rest and args.command != "lab":
        parser.error(f"unknown: {' '.join(rest)}")
    args.rest = rest
    return args


def _add_shared(
    with_model: Sequence[argparse.ArgumentParser],
    others: Sequence[argparse.ArgumentParser],
    lab: argparse.ArgumentParser,
) -> None:
    """The options that many commands have; what JupyterLab is asked for is its own."""
    for command in with_model:
        command.add_argument("--model", default="nano", help="a checkpoint's name or folder (default: nano)")
    for command in (*with_model, *others):
        command.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    for command in (lab, *with_model, *others):
        command.add_argument(
            "--traceback", action="store_true", help="let an unforeseen error show where it is"
        )


def _add_knobs(parser: argparse.ArgumentParser, owner: type, only: Sequence[str] = ()) -> None:
    defaults = {field.name: field.default for field in fields(owner)}
    for name, knob in knobs(owner).items():
        if only and name not in only:
            continue
        default = defaults[name]
        text = "" if default in (None, "") else default if isinstance(default, str) else f"{default:g}"
        options = [_option(name), *_SHORT.get(name, [])]
        parser.add_argument(
            *options, dest=name, type=_reader(knob), metavar=knob.unit or "TEXT", help=_help(knob, text)
        )


def _add_edit(parser: argparse.ArgumentParser) -> None:
    """What to rework and how; without a task, music is made from words."""
    parser.add_argument("--task", metavar="TASK", help=f"rework a source: {', '.join(EDIT_TASKS)}")
    parser.add_argument(
        "--source", metavar="FILE", help="the sound file, or the name of a take of the project"
    )
    parser.add_argument(
        "--region",
        metavar="A,B",
        help="first and last second to make anew, such as 12,18.5; empty is the source's own end: 12,",
    )
    parser.add_argument("--tracks", metavar="NAME,…", help=f"names out of {', '.join(TRACKS)}")
    _add_knobs(parser, Edit, _EDIT_KNOBS)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _help(knob: Knob, default: str) -> str:
    allowed = knob.allowed
    if len(knob.choices) > _LONG_LIST:
        allowed = f"one of {len(knob.choices)}, such as {', '.join(knob.choices[:_LONG_LIST])}"
    ending = f"; default: {default}" if default else ""
    return f"{knob.help} ({allowed}{ending})".replace("%", "%%")


def _reader(knob: Knob) -> Callable[[str], object]:
    """How the knob's value is read from a word; what is not understood goes on for its check to refuse."""
    if knob.choices or knob.max_length:
        return str
    if knob.switch:
        return lambda text: {"true": True, "false": False}.get(text.strip().lower(), text)
    if knob.max_items is not None:
        return lambda text: [_number(word) for word in text.replace(",", " ").split()]
    return _number


def _number(text: str) -> object:
    """A number if it looks like one; anything else goes on as it is, for the knob's check to refuse."""
    with contextlib.suppress(ValueError):  # also of whole numbers with more than 4,300 digits
        return int(text) if re.fullmatch(r"\s*[+-]?\d+\s*", text) else float(text)
    return text


def _lab(args: argparse.Namespace) -> int:
    from acestep_nb.lab import open_lab

    return open_lab(args.rest)


def _download(args: argparse.Namespace) -> int:
    if args.list:
        rows = downloading.listed()
        _tell(json.dumps({"models": rows}) if args.json else downloading.in_words(rows))
        return 0
    with contextlib.redirect_stdout(sys.stderr):
        result = downloading.fetch(args, _say)
    _tell(json.dumps(result) if args.json else "\n".join(result["models"]))
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from acestep_nb.doctor import examine, in_words

    with contextlib.redirect_stdout(sys.stderr):
        findings = examine()
    _tell(json.dumps(findings) if args.json else in_words(findings))
    return 1 if findings["problems"] else 0


def _eval(args: argparse.Namespace) -> int:
    if args.songs < 1:
        raise InputError(field="songs", value=args.songs, allowed="1 or more")
    try:
        from acestep_nb.nano.evaluate import evaluate

        with contextlib.redirect_stdout(sys.stderr):
            figures = evaluate(args.model, args.songs, on_progress=_say)
    except ModuleNotFoundError as error:
        remedy = 'Run: pip install "acestep-nb[train]"'
        raise AceStepError(f"{error.name} is not installed", remedy=remedy) from error
    _tell(json.dumps(figures, indent=None if args.json else 1))
    return 0


def _train_lora(args: argparse.Namespace) -> int:
    with contextlib.redirect_stdout(sys.stderr):
        result = learning.train(args, _given(args, LoraOptions), _say)
    _tell(json.dumps(result) if args.json else result["adapter"])
    return 0


def _bench(args: argparse.Namespace) -> int:
    with contextlib.redirect_stdout(sys.stderr):
        figures = figures_of(args.part, on_progress=_say)
    _tell(json.dumps(figures, indent=None if args.json else 1))
    return 0


def _gallery(args: argparse.Namespace) -> int:
    from acestep_nb.gallery import make_gallery

    with contextlib.redirect_stdout(sys.stderr):
        files = make_gallery(acestep_nb.Engine.load(args.model), args.folder, on_progress=_say)
    told = [str(file) for file in files]
    _tell(json.dumps({"files": told}) if args.json else "\n".join(told))
    return 0


def _generate(args: argparse.Namespace) -> int:
    with contextlib.redirect_stdout(sys.stderr):
        result = _render(args)
    lines = [f"seed {take['seed']}: {take['file']}" for take in args.kept]
    _tell(json.dumps(result) if args.json else "\n".join(lines))
    return 0


def _render(args: argparse.Namespace) -> dict[str, Any]:
    """Check every word before a network is loaded; keep each take as soon as it sounds."""
    song = _song(args)
    options = RenderOptions(**_given(args, RenderOptions))
    seeds = fresh_seeds(1) if args.seeds is None else parse_seeds(args.seeds)
    history = History(args.project)
    edit, source = _edit(args, history)
    _say(f"loading {args.model}")
    began = time.perf_counter()
    engine = acestep_nb.Engine.load(args.model)
    loaded = time.perf_counter()
    _say(engine.placement)

    def keep(take: Take) -> None:
        args.kept.append(_told(history.add(take)))

    how: Any = {"seeds": seeds, "options": options, "on_progress": _say, "on_take": keep}
    if edit is None:
        engine.generate(song, **how)
    else:
        fields = ("task", "region", "tracks", "quantize", "repaint", "context")
        engine.rework(source, song, **{name: getattr(edit, name) for name in fields}, **how)
    return {
        "takes": args.kept,
        "project": str(history.folder),
        "model": engine.name,
        "checkpoint_hash": engine.checkpoint_hash,
        "device": engine.device,
        "song": song.to_dict(),
        "options": options.to_dict(),
        "timings": {"load": round(loaded - began, 3), "generate": round(time.perf_counter() - loaded, 3)},
    }


def _song(args: argparse.Namespace) -> Song:
    words = _given(args, Song)
    if args.lyrics_file is not None:
        if "lyrics" in words:
            raise InputError("give --lyrics or --lyrics-file, not both", field="lyrics")
        words["lyrics"] = _read_lyrics(Path(args.lyrics_file))
    song = Song(**words)
    if args.task is None:
        song.require_words()
    return song


def _edit(args: argparse.Namespace, history: History) -> tuple[Edit | None, Any]:
    """What is asked of which source; both None for music from words. Checked before a network is loaded."""
    names = ("source", "region", "tracks", *_EDIT_KNOBS, *knobs(RepaintOptions))
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    if args.task is None:
        if given:
            name = next(iter(given))
            remedy = f"Add --task, one of {', '.join(EDIT_TASKS)}, and --source."
            raise InputError(
                f"{_option(name)} goes with a task", field=name, value=given[name], remedy=remedy
            )
        return None, None
    name = given.pop("source", None)
    source = history.get(name) if name in {entry.name for entry in history.entries} else name
    read = opened(source)
    how = {name: given.pop(name) for name in list(given) if name in knobs(RepaintOptions)}
    if how:
        given["repaint"] = RepaintOptions(**how)
    if "region" in given:
        first, *others = given["region"].split(",")
        ends = [(first, 0.0), *((text, read.sound.duration) for text in others)]
        given["region"] = [_number(text) if text.strip() else end for text, end in ends]
    return Edit(task=args.task, sources=(read.record,), **given), source


def _read_lyrics(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            field="lyrics_file",
            value=str(path),
            allowed="a text file in UTF-8",
            remedy=f"{getattr(error, 'strerror', None) or error}.",
        ) from error


def _given(args: argparse.Namespace, owner: type) -> dict[str, Any]:
    return {name: value for name in knobs(owner) if (value := getattr(args, name)) is not None}


def _told(take: Take) -> dict[str, Any]:
    folder = take.folder or Path()
    return {
        "name": take.name,
        "folder": str(folder),
        "file": str(folder / "audio.flac"),
        "seed": take.seed,
        "duration": take.duration,
        "timings": dict(take.timings),
    }


def _tell(result: str) -> None:
    _print(result, sys.stdout)


def _say(progress: object) -> None:
    _print(progress, sys.stderr)


def _print(text: object, to: TextIO) -> None:
    """The line is told, or goes nowhere when its reader, such as `head`, has seen enough: the work goes on."""
    try:
        print(text, file=to, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), to.fileno())


if __name__ == "__main__":
    sys.exit(main())
