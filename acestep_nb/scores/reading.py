"""Where a tokenizer puts the lyrics: rows of the condition, and the text of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from acestep_nb.renderer.prompts import END_OF_TEXT, LYRICS_MAX_TOKENS, lyric_prompt
from acestep_nb.scores.alignment import sung_tokens
from acestep_nb.scores.lyrics import token_texts


@dataclass(frozen=True)
class LyricTokens:
    """The tokens of lyrics as the renderer is given them.

    `first` is the row of the first one in the condition, `texts` what each stands for, and `whole` tells whether
    all of the lyrics fitted.
    """

    first: int
    texts: tuple[str, ...]
    whole: bool

    @property
    def rows(self) -> slice:
        """Their rows in the condition."""
        return slice(self.first, self.first + len(self.texts))

    @property
    def sings(self) -> bool:
        """Whether anything in them is to be sung: more than tags and line ends."""
        return any(kept and text.strip() for text, kept in zip(self.texts, sung_tokens(self.texts)))


def lyric_tokens(tokenizer: Any, lyrics: str, vocal_language: str | None) -> LyricTokens:
    """The tokens of `lyrics` behind their header; what the renderer cuts off is left out here too."""
    header = lyric_prompt("", vocal_language).removesuffix(END_OF_TEXT)
    text = header + lyrics
    read = tokenizer(text + END_OF_TEXT, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    own = [i for i, (a, b) in enumerate(read.offset_mapping) if len(header) <= a < b <= len(text)]
    first = own[0] if own else 0
    room = LYRICS_MAX_TOKENS - tokenizer.num_special_tokens_to_add()
    kept = [i for i in own if i < room]
    if len(kept) < len(own):
        text = text[: read.offset_mapping[own[len(kept)]][0]]
    spans = [read.offset_mapping[i] for i in kept]
    return LyricTokens(first, token_texts(text, spans, len(header)), len(kept) == len(own))
