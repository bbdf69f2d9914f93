"""What the networks say about a take: the renderer about its lyrics, the planner about its words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from acestep_nb.codes import LATENT_RATE, LATENTS_PER_CODE
from acestep_nb.errors import CheckpointError, InputError
from acestep_nb.locales import later
from acestep_nb.planner.cot import known_metas
from acestep_nb.planner.prompts import rendered, require_readable, understand_messages
from acestep_nb.renderer.conditions import Ask, Condition, Conditioner, silence
from acestep_nb.renderer.guard import check_finite, render_errors
from acestep_nb.scores import alignment, contrast
from acestep_nb.scores.attention import alignment_heads, lyric_attention
from acestep_nb.scores.likelihood import SENSITIVITY, overall
from acestep_nb.scores.lyrics import aligned, lines
from acestep_nb.scores.quality import conditions, targets
from acestep_nb.scores.reading import LyricTokens, lyric_tokens
from acestep_nb.scores.values import Scores, Signal

if TYPE_CHECKING:
    from acestep_nb.checkpoints.loading import Models
    from acestep_nb.planner.planner import Planner
    from acestep_nb.takes import Take

WITHOUT_WORDS = "[Instrumental]"
NO_WORDS = "no alignment: there are no words to sing"
NO_HEADS = "no alignment: the checkpoint does not say which attention heads follow the lyrics"
NO_CODES = "no plan alignment and no quality: the take was made without codes"
NO_PLANNER = "no quality: no planner is loaded"
CUT = "the last lines are not scored: the renderer reads only the beginning of lyrics as long as these"


def renderers_view(
    models: Models,
    conditioner: Conditioner,
    take: Take,
    lyrics: str | None,
    signal: Signal,
    listen: bool = False,
) -> Scores:
    """The scores of `take` that need the renderer: alignment, lines and, with `listen`, the listening test.

    The take is judged as music made from its words, and from its codes if it has any: what was reworked to make
    it plays no part, so that takes are comparable. Other `lyrics` than the take's own may be given; `None` means
    its own. What cannot be had is None, and the notes say why.
    """
    song = take.song if lyrics is None else replace(take.song, lyrics=lyrics)
    tokens = lyric_tokens(models.tokenizer, song.lyrics, song.vocal_language)
    notes = [] if take.codes else [NO_CODES]
    blank = Scores(lyrics=song.lyrics, signal=signal)
    if not tokens.sings:
        return replace(blank, notes=(NO_WORDS, *notes))
    if not tokens.whole:
        notes.append(CUT)
    ask = _ask(take, song)
    without = replace(ask, song=replace(song, lyrics=WITHOUT_WORDS))
    with render_errors(later("scoring")):
        condition = conditioner.primary([ask])
        both = conditioner.primary([ask, without]) if listen else None
        latents = _filled_up(models, take, condition)
        models.residence.bring("rendering")
        scores = _aligned(models, condition, latents, take, tokens, replace(blank, notes=tuple(notes)))
        return scores if both is None else _listened(models, both, latents, scores)


def planners_view(
    planner: Planner | None, take: Take, scores: Scores, sensitivity: float = SENSITIVITY
) -> Scores:
    """The scores with `quality` and its `conditions`: how well the planner would guess the words from the codes.

    Without codes, or without a planner that can read codes and words, there is no quality, and the notes say why.
    """
    if not take.codes:
        return scores
    if planner is None:
        return replace(scores, notes=(*scores.notes, NO_PLANNER))
    song, tokenizer = take.song, planner.tokenizer
    metas = {name: int(value) if value.isdecimal() else value for name, value in known_metas(song).items()}
    wanted = targets(song.caption, scores.lyrics, metas)
    try:
        codes = planner.readable_codes(take.codes)
        require_readable(tokenizer, {"caption": song.caption, "lyrics": scores.lyrics})
        about, blank = (rendered(tokenizer, understand_messages(heard)) for heard in (codes, ()))
        with render_errors(later("scoring")):
            found = conditions(planner.network, tokenizer, about, blank, wanted, sensitivity=sensitivity)
    except InputError as error:
        return replace(scores, notes=(*scores.notes, f"no quality: {error}"))
    return replace(scores, quality=overall(found), conditions=found)


def _ask(take: Take, song: Any) -> Ask:
    frames = len(take.latents)
    # codes that do not reach to the end are those of a part, as after an extension: they say nothing of the rest
    codes = take.codes if len(take.codes) * LATENTS_PER_CODE >= frames else ()
    return Ask(song=song, codes=codes, seconds=frames / LATENT_RATE)


def _filled_up(models: Models, take: Take, condition: Condition) -> torch.Tensor:
    """The take's latents `[frame, 64]`, silence behind them up to the length of the condition.

    Raises `RenderError` for latents that are not numbers.
    """
    latents = torch.from_numpy(np.asarray(take.latents, dtype=np.float32)).to(models.device)
    check_finite(latents)
    missing = condition.frames - len(latents)
    return torch.cat([latents, silence(models, missing)[0].to(latents)]) if missing > 0 else latents


def _aligned(
    models: Models,
    condition: Condition,
    latents: torch.Tensor,
    take: Take,
    tokens: LyricTokens,
    scores: Scores,
) -> Scores:
    try:
        heads = alignment_heads(models.transformer)
    except CheckpointError:
        return replace(scores, notes=(*scores.notes, NO_HEADS))
    planned = bool(take.codes)
    steps = len(take.options.timesteps or ()) or int(
        take.options.inference_steps or models.kind.inference_steps
    )
    levels = (1 / steps, 1.0) if planned else (1 / steps,)
    models.residence.bring("rendering")
    attention = lyric_attention(models.transformer, condition, latents, levels, tokens.rows, heads)
    check_finite(attention)
    heard = attention.numpy()
    frames = -(-len(take.latents) // models.transformer.config.patch_size)
    sounding, *plan = heard[..., :frames]
    found, measured = aligned(tokens.texts, sounding, len(take.latents) / LATENT_RATE)
    sung = alignment.sung_tokens(tokens.texts)
    return replace(
        scores,
        lyrics_alignment=measured.score,
        plan_alignment=alignment.measure(alignment.energy(plan[0]), sung).score if plan else None,
        lines=lines(found),
        alignment=found,
    )


def _listened(models: Models, condition: Condition, latents: torch.Tensor, scores: Scores) -> Scores:
    """The scores with what the listening test says of each line, and of all; of the whole take if none is timed.

    The condition has two rows, with the words and without.
    """
    models.residence.bring("rendering")
    told, untold = contrast.errors(models.transformer, condition, latents)

    def heard(spans: list[tuple[float, float]]) -> float | None:
        return contrast.heard(told, untold, spans)

    spans = {line: (line.start, line.end) for line in scores.lines if line.score is not None}
    judged = tuple(
        replace(line, heard=heard([spans[line]])) if line in spans else line for line in scores.lines
    )
    whole = [(0.0, len(told) / LATENT_RATE)]
    return replace(scores, lines=judged, lyrics_heard=heard(list(spans.values()) or whole))
