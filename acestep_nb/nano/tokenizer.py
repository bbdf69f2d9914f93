"""Builds nano's tokenizer: an ordinary fast tokenizer whose every token has a known meaning.

Captions and prompts are read as the phrases of `lexicon`; whatever else is written is read as syllables,
one token each: a Chinese character (by its pinyin), a kana mora, a Hangul block, or a consonant and a vowel
of a Latin word. In lyrics one token is one beat. `classes` gives the meaning of each token; tokens of one
class share an embedding row.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from acestep_nb.languages import LANGUAGES
from acestep_nb.nano.lexicon import (
    ALSO,
    CONCEPTS,
    LANGUAGE_HEADER,
    REST_CONCEPTS,
    TIME_SIGNATURES,
    keyscale_spellings,
)
from acestep_nb.nano.music import (
    CHORD_INSTRUMENTS,
    CONSONANTS,
    LEAD_INSTRUMENTS,
    NOTES,
    TEMPI,
    VOICES,
    VOWELS,
    Syllable,
    tempo_class,
)

UNKNOWN, PAD, END = "<unk>", "<pad>", "<|endoftext|>"
BPM_RANGE = range(30, 301)
PLURAL = (*CHORD_INSTRUMENTS, *LEAD_INSTRUMENTS, *VOICES, "drums", "bass")  # may be said with an s
LATIN_CONSONANT = {
    "l": "l", "r": "l", "w": "l", "y": "l", "m": "m", "b": "m", "v": "m", "n": "n", "t": "t", "d": "t",
    "p": "t", "k": "k", "g": "k", "c": "k", "q": "k", "h": "k", "x": "s", "s": "s", "z": "s", "j": "s",
    "f": "s",
}  # fmt: skip
LATIN_VOWEL = {"a": "a", "i": "i", "y": "i", "u": "u", "e": "e", "o": "o"}
# an accented e is sung at the end of a word, where a plain one is silent: the second letter saves it
ACCENTED = {"a": "àáâãäåā", "c": "ç", "ei": "èéêëē", "i": "ìíîïī", "n": "ñ", "o": "òóôõöøō", "u": "ùúûüū"}
VOWEL_OF_FINAL = (  # the vowel that a pinyin final is sung on; the first match counts
    (r"^(i|in|ing|ui|ei2|ü)$", "i"), (r"^(u|ü|un|ün|iu)$", "u"), (r"^(o|uo|ou|ong|iong)$", "o"),
    (r"^(e|ei|en|eng|er|ie|ian|üe|üan|ue)$", "e"), (r".*a.*", "a"),
)  # fmt: skip
HANGUL_FIRST = 0xAC00
HANGUL_CONSONANTS = (
    "k", "k", "n", "t", "t", "l", "m", "m", "m", "s", "s", "", "s", "s", "s", "k", "t", "t", "k",
)  # fmt: skip
HANGUL_VOWELS = (
    "a", "e", "a", "e", "o", "e", "e", "e", "o", "a", "e", "e", "o", "u", "o", "e", "i", "u", "u", "i", "i",
)  # fmt: skip
KANA_ROWS = {  # consonant -> the kana of its row in the order a i u e o
    "": "あいうえお", "k": "かきくけこ がぎぐげご はひふへほ", "s": "さしすせそ ざじずぜぞ",
    "t": "たちつてと だぢづでど ぱぴぷぺぽ", "n": "なにぬねの",
    "m": "まみむめも ばびぶべぼ", "l": "らりるれろ",
}  # fmt: skip
SMALL_Y = {"ゃ": "a", "ゅ": "u", "ょ": "o"}
SMALL_VOWELS = {"ぁ": "a", "ぃ": "i", "ぅ": "u", "ぇ": "e", "ぉ": "o"}
LA = Syllable(CONSONANTS.index("l"), VOWELS.index("a"))
KATAKANA_SHIFT = ord("ア") - ord("あ")


def syllables() -> dict[str, Syllable]:
    """Every written syllable that has a token, with the consonant and the vowel it is sung on."""
    table: dict[str, tuple[str, str]] = {}
    table |= {v: ("", LATIN_VOWEL[v]) for v in LATIN_VOWEL}
    table |= {c + v: (LATIN_CONSONANT[c], LATIN_VOWEL[v]) for c in LATIN_CONSONANT for v in LATIN_VOWEL}
    table |= _kana()
    table |= {c: _hangul(c) for c in _charset("euc_kr", range(0xB0, 0xC9))}
    table |= _hanzi()
    return {text: Syllable(CONSONANTS.index(c), VOWELS.index(v)) for text, (c, v) in table.items()}


def _kana() -> dict[str, tuple[str, str]]:
    table = {
        "わ": ("l", "a"), "を": ("", "o"), "ん": ("n", "u"),
        "や": ("l", "a"), "ゆ": ("l", "u"), "よ": ("l", "o"),
    }  # fmt: skip
    for consonant, rows in KANA_ROWS.items():
        for row in rows.split():
            table |= {kana: (consonant, vowel) for kana, vowel in zip(row, "aiueo", strict=True)}
            table |= {row[1] + small: (consonant, vowel) for small, vowel in SMALL_Y.items()}
            table |= {
                kana + small: (consonant, vowel) for kana in row for small, vowel in SMALL_VOWELS.items()
            }
    shifted = {"".join(chr(ord(c) + KATAKANA_SHIFT) for c in kana): sound for kana, sound in table.items()}
    return table | shifted


def _charset(encoding: str, rows: range) -> list[str]:
    """The characters of a national standard in the given rows (lead bytes)."""
    out = []
    for lead in rows:
        for trail in range(0xA1, 0xFF):
            try:
                out.append(bytes((lead, trail)).decode(encoding))
            except UnicodeDecodeError:
                continue
    return out


def _hangul(block: str) -> tuple[str, str]:
    index = ord(block) - HANGUL_FIRST
    return HANGUL_CONSONANTS[index // 588], HANGUL_VOWELS[index % 588 // 28]


def _hanzi() -> dict[str, tuple[str, str]]:
    """The 3,755 common characters of GB 2312 and the sound of their first pinyin reading."""
    from pypinyin import Style, pinyin

    table = {}
    for character in _charset("gb2312", range(0xB0, 0xD8)):
        initial = pinyin(character, style=Style.INITIALS, strict=False)[0][0]
        final = pinyin(character, style=Style.FINALS, strict=False)[0][0]
        table[character] = (LATIN_CONSONANT.get(initial[:1], ""), vowel_of_final(final))
    return table


def vowel_of_final(final: str) -> str:
    """The vowel that a pinyin final is sung on."""
    final = final.replace("v", "ü")
    return next((vowel for pattern, vowel in VOWEL_OF_FINAL if re.match(pattern, final)), "a")


def build() -> PreTrainedTokenizerFast:
    """The tokenizer: right padding, `<|endoftext|>` appended to every sequence."""
    written = [UNKNOWN, PAD, END, *syllables()]
    tokenizer = Tokenizer(models.WordLevel({text: i for i, text in enumerate(written)}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            *(normalizers.Replace(Regex(f"[{marks}]"), letter) for letter, marks in ACCENTED.items()),
            normalizers.Replace(Regex(r"\r\n?"), "\n"),
            normalizers.Replace(Regex(r"[ \t\u3000]+"), " "),
            normalizers.Replace(Regex(r" ?\n ?"), "\n"),
            normalizers.Replace(Regex(r"duration: \d+ seconds"), "duration:"),
            normalizers.Replace(Regex(r"\[(?!instrumental\])[^\]\n]*\]"), "[tag]"),
            normalizers.Replace(Regex(r"\n{2,}"), "\n\n"),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[^\p{L}\n]+|[ーっッ]"), "removed"),
            pre_tokenizers.Split(Regex(r"(?<=[aeiouy][bcdfghjklmnpqrstvwxz])e(?![a-z])"), "removed"),
            pre_tokenizers.Split(Regex(r"[bcdfghjklmnpqrstvwxz](?![aeiouy])"), "removed"),
            pre_tokenizers.Split(Regex(r"(?<=[aeiouy])[aeiouy]"), "removed"),
            pre_tokenizers.Split(
                Regex(
                    r"[a-z]?[aeiouy]|[\p{Hiragana}\p{Katakana}][ゃゅょぁぃぅぇぉャュョァィゥェォ]?|\p{Han}|\p{Hangul}"
                ),
                "isolated",
            ),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, tokenizer.token_to_id(END))]
    )
    tokenizer.add_special_tokens([UNKNOWN, PAD, END])
    tokenizer.add_tokens(
        [AddedToken(text, single_word=_is_word(text), normalized=True) for text in phrases()]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=UNKNOWN, pad_token=PAD, eos_token=END, padding_side="right",
        model_max_length=4096,
    )  # fmt: skip


def phrases() -> dict[str, str]:
    """Every phrase that is one token, with its class name."""
    table = {f"{text}s": name for name in PLURAL for text in CONCEPTS[name] if _is_word(text)}
    table |= {text: name for name, texts in ALSO.items() for text in texts}
    table |= {text: name for name, texts in CONCEPTS.items() for text in texts if text not in (PAD, END)}
    table |= {f"bpm: {n}": f"tempo {tempo_class(n)}" for n in BPM_RANGE}
    table |= {
        f"keyscale: {text}": key_name(tone, mode) for text, (tone, mode) in keyscale_spellings().items()
    }
    table |= {f"timesignature: {text}": f"time {text}" for text in TIME_SIGNATURES}
    return table | {f"{LANGUAGE_HEADER}{code}\n\n": "language" for code in LANGUAGES}


def key_name(tone: int, mode: str) -> str:
    """Class name of the key on pitch class `tone`."""
    return f"key {NOTES[tone]} {mode}"


def _is_word(text: str) -> bool:
    """Whether `text` may only match between word boundaries: Latin words, not prompt frames and not CJK."""
    return bool(re.fullmatch(r"[a-z0-9 '_-]+", text)) or text.startswith(
        ("bpm:", "keyscale:", "timesignature:")
    )


@lru_cache(maxsize=1)
def class_names() -> tuple[str, ...]:
    """Names of the token classes; syllables come first, as consonant-vowel pairs."""
    sung = [f"syllable {c} {v}" for c in range(len(CONSONANTS)) for v in range(len(VOWELS))]
    keys = [key_name(tone, mode) for mode in ("major", "minor") for tone in range(len(NOTES))]
    return (*sung, *CONCEPTS, *(f"tempo {i}" for i in range(len(TEMPI))), *keys,
            *(f"time {text}" for text in TIME_SIGNATURES), "language")  # fmt: skip


def classes(tokenizer: PreTrainedTokenizerFast) -> np.ndarray:
    """Class of every token id: int64 `[vocabulary]`. An unknown letter sings the syllable `la`."""
    index = {name: i for i, name in enumerate(class_names())}
    table = {text: f"syllable {s.consonant} {s.vowel}" for text, s in syllables().items()}
    table |= phrases() | {PAD: "pad", END: "end", UNKNOWN: f"syllable {LA.consonant} {LA.vowel}"}
    vocabulary = tokenizer.get_vocab()
    out = np.zeros(len(tokenizer), np.int64)
    for text, i in vocabulary.items():
        out[i] = index[table[text]]
    return out


def syllable_of_class(token_class: int) -> Syllable | None:
    """The syllable that a token class sings in lyrics; None rests. A word of the lexicon sings `la`."""
    if token_class < len(CONSONANTS) * len(VOWELS):
        return Syllable(*divmod(token_class, len(VOWELS)))
    return None if class_names()[token_class] in REST_CONCEPTS else LA


def lyric_slots(token_classes: list[int]) -> tuple[Syllable | None, ...]:
    """What each beat sings, from the classes of a whole lyric prompt: one slot a token after the header."""
    names = class_names()
    start = token_classes.index(names.index("lyric")) + 1
    end = token_classes.index(names.index("end"), start)
    slots = [syllable_of_class(c) for c in token_classes[start:end]]
    while slots and slots[-1] is None:
        slots.pop()
    return tuple(slots)
