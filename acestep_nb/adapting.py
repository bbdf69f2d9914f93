"""`engine.adapters`: adapters at work on the engine's renderer, and new ones that it learns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acestep_nb.adapters.dataset import Dataset
from acestep_nb.adapters.labelling import label
from acestep_nb.adapters.options import LoraOptions
from acestep_nb.adapters.progress import Trained, TrainingProgress
from acestep_nb.adapters.uses import SCALE, AdapterUse
from acestep_nb.errors import InputError
from acestep_nb.files import disk_errors, given_path, is_dir, is_file
from acestep_nb.knobs import Knob, checked_kind, checked_number, checked_switch
from acestep_nb.renders import stop_if
from acestep_nb.song import Song
from acestep_nb.verbs import words_of

if TYPE_CHECKING:  # torch and the networks are imported when the first adapter is loaded or trained
    from acestep_nb.adapters.lessons import Lesson
    from acestep_nb.adapters.memory import MemoryNeed
    from acestep_nb.adapters.training import Trainer
    from acestep_nb.checkpoints.residence import Residence
    from acestep_nb.engine import Engine
    from acestep_nb.takes import Take

OnTraining = Callable[[TrainingProgress], None]
Together = Callable[[], AbstractContextManager[None]]
PREVIEW_SEED = 7
_DEFAULTS = LoraOptions()
_MANY_TOKENS = 1024  # of words and lyrics together, in a song that has many
_ON = Knob("On", "Whether the adapter works.", switch=True)
_PLAIN_FOLDERS = ("adapter", "final", "latest")  # say nothing about what is in them
_training = threading.Lock()  # one training in a process, and no rendering beside it


@dataclass(frozen=True)
class Adapter:
    """An adapter in an engine: how strongly it works, what it is, and what loads it again (`source`)."""

    name: str
    scale: float
    on: bool
    rank: int
    alpha: float
    hash: str
    folder: Path
    source: str


def refuse_while_training() -> None:
    """Raise `InputError` while an adapter is being trained in this process."""
    if _training.locked():
        raise _being_trained()


def _being_trained() -> InputError:
    return InputError(
        "an adapter is being trained: the renderer is not free",
        field="engine",
        value="training",
        allowed="an engine at rest",
        remedy="Wait for the training, or stop it; it goes on later from the same step.",
    )


class Adapters:
    """The adapters of one engine, in the order in which they were loaded; they add up."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._loaded: dict[str, Adapter] = {}
        self._slots: dict[str, str] = {}  # name -> what peft calls it
        self._count = 0

    def __iter__(self) -> Iterator[Adapter]:
        return iter(tuple(self._loaded.values()))

    def __len__(self) -> int:
        return len(self._loaded)

    def __getitem__(self, name: str) -> Adapter:
        if name not in self._loaded:
            allowed = (
                f"one of {', '.join(self._loaded)}" if self._loaded else "the name of one that is loaded"
            )
            raise InputError(field="adapter", value=name, allowed=allowed)
        return self._loaded[name]

    def __repr__(self) -> str:
        told = (f"{one.name} {one.scale:g}{'' if one.on else ' (off)'}" for one in self)
        return f"Adapters({', '.join(told)})"

    def load(self, source: str | Path, *, name: str | None = None, scale: float = 1.0) -> Adapter:
        """Load the adapter in a folder, or of a name on the hub such as "chinese-new-year", and let it work.

        Files of peft, diffusers and the original are read; their alpha holds. `scale` is 0–1.
        Raises `InputError` when there is none or the name is taken, `CheckpointError` when it was made for
        another size or is of a kind that is not loaded.
        """
        from acestep_nb.adapters.files import find_adapter, read_adapter
        from acestep_nb.adapters.loading import attach

        self._refuse_int8()
        strength = _scale(scale)
        folder = find_adapter(source)
        weights = read_adapter(folder)
        local = is_dir(place := given_path(source, "adapter")) or is_file(place)
        known = str(name or (_name_of(folder) if local else str(source).rsplit("/", 1)[-1]))
        rank = max(weights.ranks.values())
        alpha, again = max(weights.alphas.values()), str(folder.resolve() if local else source)
        adapter = Adapter(known, strength, True, rank, alpha, weights.hash, folder, again)
        with self._at_rest():
            if known in self._loaded:
                remedy = "Unload it first, or give this one another name."
                raise InputError(field="name", value=known, allowed="a name that is free", remedy=remedy)
            slot = f"adapter_{self._count}"
            attach(self._network, slot, weights)
            self._count += 1
            self._slots[known], self._loaded[known] = slot, adapter
        return adapter

    def unload(self, name: str | None = None) -> None:
        """Take an adapter out, or all of them; without any, takes are what they were before, to the last bit."""
        from acestep_nb.adapters.loading import detach

        with self._at_rest():
            for one in [self[name].name] if name is not None else list(self._loaded):
                detach(self._network, self._slots.pop(one))
                del self._loaded[one]

    def change(self, name: str, *, scale: float | None = None, on: bool | None = None) -> Adapter:
        """Let an adapter work more or less strongly (0–1), or switch it off and on, from the next take on."""
        values: dict[str, Any] = {}
        if scale is not None:
            values["scale"] = _scale(scale)
        if on is not None:
            values["on"] = checked_switch("on", on, _ON)
        with self._at_rest():
            self._loaded[name] = adapter = replace(self[name], **values)
        return adapter

    def label(
        self,
        dataset: Dataset,
        *,
        only_unlabeled: bool = True,
        transcribe_lyrics: bool = False,
        format_lyrics: bool = False,
        on_song: Callable[[int, int], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Dataset:
        """The dataset with captions, tempo, key … filled in by the planner where it has none.

        With `transcribe_lyrics` songs that sing get the words that are heard, with `format_lyrics` lyrics are put
        in form. Songs that cannot be heard are named in `problems`; a stop keeps what is labelled.
        Raises `InputError` without a planner.
        """
        engine = self._engine

        def tell(done: int, songs: int) -> None:
            stop_if(cancel)
            if on_song is not None:
                on_song(done, songs)

        engine._needed_planner("labelling songs")
        form = (lambda song: engine.format_song(song, cancel=cancel)) if format_lyrics else None
        return label(
            dataset,
            lambda path: engine.understand(path, cancel=cancel),
            form,
            only_unlabeled=only_unlabeled,
            transcribe_lyrics=transcribe_lyrics,
            on_song=tell,
        )

    def train(
        self,
        songs: Dataset | str | Path,
        folder: str | Path,
        options: LoraOptions = _DEFAULTS,
        *,
        preview: Song | None = None,
        on_progress: OnTraining | None = None,
        on_preview: Callable[[Take], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Trained:
        """Teach the renderer a style: an adapter from labelled songs, written into `folder`.

        `songs` is a dataset, its JSON file, a folder of songs, or one of tensors that the original's preprocessing
        wrote. When the folder holds a training with the same songs and options, it goes on from its last step:
        stopping at any step loses nothing, and the result is the same to the last bit. Every
        `options.preview_every` epochs `on_preview` gets a take of `preview` (else of the first song's words),
        always from one seed.
        Raises `Cancelled` when `cancel` is set, `InputError` for songs that cannot be learned or while another
        training or other adapters are there, `RenderError` when the loss is not a number or memory runs out,
        `ProjectError` when the disk is full: what was learned until then is kept.
        """
        checked_kind("options", options, LoraOptions)
        self._refuse_int8()
        refuse_while_training()
        tell = _telling(on_progress, cancel)
        with self._engine._turn(cancel):
            if self._loaded:
                allowed, remedy = "none while one is trained", "Unload them first: engine.adapters.unload()."
                raise InputError(field="adapters", value=repr(self), allowed=allowed, remedy=remedy)
            if not _training.acquire(blocking=False):
                raise _being_trained()
            try:
                return self._taught(songs, given_path(folder, "folder"), options, preview, tell, on_preview)
            finally:
                _training.release()

    def memory_need(self, songs_seconds: float, options: LoraOptions = _DEFAULTS) -> MemoryNeed:
        """What training with songs of that length takes; `str` of it says it in words."""
        from acestep_nb.adapters.memory import memory_need
        from acestep_nb.codes import LATENT_RATE

        return memory_need(self._network, options, int(songs_seconds * LATENT_RATE), _MANY_TOKENS)

    @property
    def in_use(self) -> tuple[AdapterUse, ...]:
        """The adapters that are switched on, as takes tell of them."""
        return tuple(AdapterUse(one.name, one.scale, one.hash, one.source) for one in self if one.on)

    def _refuse_int8(self) -> None:
        if self._engine.placement.int8:
            raise InputError(
                "weights of 8 bits take no adapter",
                field="int8",
                value=True,
                allowed="an engine with whole weights",
                remedy="Load the model with int8=False.",
            )

    @property
    def _network(self) -> Any:
        return self._engine._models.transformer

    @contextmanager
    def _at_rest(self) -> Iterator[None]:
        """The renderer for a change of its adapters, in main memory if networks take turns; it holds afterwards."""
        from acestep_nb.adapters.loading import weigh

        with self._engine._turn(None):
            self._engine._models.residence.at_home("rendering")
            try:
                yield
            finally:
                weigh(self._network, {self._slots[one.name]: one.scale if one.on else 0.0 for one in self})
                self._engine._renders.adapters = self.in_use

    def _taught(
        self,
        songs: Dataset | str | Path,
        folder: Path,
        options: LoraOptions,
        preview: Song | None,
        tell: OnTraining,
        on_preview: Callable[[Take], None] | None,
    ) -> Trained:
        from acestep_nb.adapters.lessons import longest_of
        from acestep_nb.adapters.memory import memory_need
        from acestep_nb.adapters.teaching import teach
        from acestep_nb.adapters.training import Trainer

        models = self._engine._models
        lessons, problems, first = self._lessons(songs, folder, tell)
        tell(
            TrainingProgress(
                "memory", 0, 0, words=str(memory_need(self._network, options, *longest_of(lessons)))
            )
        )
        [network] = models.residence.at_home("rendering")
        with _alone_on_device(models.residence, network) as together:
            null = models.condition_encoder.null_condition_emb.to(models.device)
            trainer = Trainer(network, null, lessons, options, models.is_turbo)
            try:
                asked = preview or first
                hear = None
                if options.preview_every and asked is not None:
                    hear = self._previewing(trainer, asked, folder, together, tell, on_preview)
                trained = teach(trainer, folder, models.name, tell, hear)
            finally:
                trainer.close()
        return replace(trained, problems=tuple(problems))

    def _lessons(
        self, songs: Dataset | str | Path, folder: Path, tell: OnTraining
    ) -> tuple[list[Lesson], list[str], Song | None]:
        """What is to be learned, what cannot be, and the words of the first song."""
        from acestep_nb.adapters.lessons import MANIFEST, prepare, read_prepared

        if not isinstance(songs, Dataset):
            place = given_path(songs, "songs")
            if is_file(place / MANIFEST) or any(place.glob("*.pt")):
                return read_prepared(place), [], None
            songs = Dataset.scan(place) if is_dir(place) else Dataset.load(place)
        renders = self._engine._renders

        def on_song(done: int, count: int) -> None:
            tell(TrainingProgress("preparing", done, count))

        lessons, problems = prepare(
            renders.models, renders.codec, renders.conditioner, songs, folder / "prepared", on_song
        )
        named = zip(songs.samples, songs.captions)
        first = next(sample.song(caption) for sample, caption in named if sample.filename == lessons[0].name)
        return lessons, [*songs.problems, *problems], first

    def _previewing(
        self,
        trainer: Trainer,
        song: Song,
        folder: Path,
        together: Together,
        tell: OnTraining,
        on_preview: Callable[[Take], None] | None,
    ) -> Callable[[int], None]:
        """What makes a take with the adapter as it is now; it is kept beside the training, and handed on."""
        engine, plan = self._engine, trainer.plan
        order = engine._order_of_words(words_of(song), {"seeds": [PREVIEW_SEED]})
        place = folder / "previews"

        def preview(epoch: int) -> None:
            tell(TrainingProgress("preview", trainer.step, plan.steps, epoch, trainer.options.epochs))
            engine._renders.adapters = (AdapterUse(f"epoch {epoch}", 1.0, trainer.mark),)
            trainer.rest()
            try:
                with together():
                    [take] = engine._renders.takes(order)
            finally:
                engine._renders.adapters = ()
            with disk_errors(place, "folder"):
                place.mkdir(exist_ok=True)
            take.audio.save(place / f"epoch_{epoch}.flac")
            if on_preview is not None:
                on_preview(take)

        return preview


@contextmanager
def _alone_on_device(residence: Residence, network: Any) -> Iterator[Together]:
    """Inside, the renderer has the device to itself, but where what this gives lets the others in again."""
    import torch

    others: list[Any] = []
    if not residence.by_turns:
        others = [
            *residence.at_home("reading"),
            *residence.at_home("decoding"),
            *residence.at_home("planning"),
        ]

    def move(networks: Iterable[Any], place: Any) -> None:
        with torch.inference_mode(False):
            for one in networks:
                one.to(place)

    @contextmanager
    def together() -> Iterator[None]:
        move(others, residence.device)
        try:
            yield
        finally:
            move(others, "cpu")

    move(others, "cpu")
    move([network], residence.device)
    try:
        yield together
    finally:
        move([network], "cpu" if residence.by_turns else residence.device)
        move(others, residence.device)


def _name_of(folder: Path) -> str:
    """The name of the innermost folder that says something."""
    return next(part for part in reversed(folder.resolve().parts) if part not in _PLAIN_FOLDERS)


def _scale(value: object) -> float:
    return float(checked_number("scale", value, SCALE) or 0.0)


def _telling(on_progress: OnTraining | None, cancel: threading.Event | None) -> OnTraining:
    def tell(progress: TrainingProgress) -> None:
        if on_progress is not None:
            on_progress(progress)
        stop_if(cancel)

    return tell
