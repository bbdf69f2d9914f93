import subprocess
import sys

import numpy as np
import pytest

from acestep_nb.languages import LANGUAGES
from acestep_nb.nano import lexicon
from acestep_nb.nano.music import CONSONANTS, NOTES, VOWELS, Syllable
from acestep_nb.nano.tokenizer import (
    BPM_RANGE,
    class_names,
    classes,
    lyric_slots,
    phrases,
    syllable_of_class,
    syllables,
    vowel_of_final,
)
from acestep_nb.renderer import prompts
from acestep_nb.song import Song

GUIDE = {  # lines of the guide's complete example, and the vowels that their pinyin is sung on
    "月光洒在窗台上": "eaaaaaa",  # yue guang sa zai chuang tai shang
    "我听见你的呼吸": "oieieui",  # wo ting jian ni de hu xi
    "城市在远处沉睡": "eiaauei",  # cheng shi zai yuan chu chen shui
    "只有我们还醒着": "iooeaie",  # zhi you wo men hai xing zhe
}
LA = Syllable(CONSONANTS.index("l"), VOWELS.index("a"))


@pytest.fixture(scope="module")
def slots(writer):
    """What lyrics sing, one entry a token."""
    return lambda lyrics: lyric_slots(writer.tokens(prompts.lyric_prompt(lyrics, "zh")))


@pytest.fixture(scope="module")
def said(slots):
    """What lyrics sing, in letters; `-` rests."""

    def letters(lyrics):
        return [
            "-" if one is None else CONSONANTS[one.consonant] + VOWELS[one.vowel] for one in slots(lyrics)
        ]

    return letters


@pytest.mark.parametrize(("line", "vowels"), GUIDE.items())
def test_a_chinese_character_is_one_beat_on_the_vowel_of_its_pinyin(slots, line, vowels):
    assert "".join(VOWELS[one.vowel] for one in slots(line)) == vowels


@pytest.mark.parametrize(
    ("final", "vowel"),
    [
        ("iang", "a"),
        ("iao", "a"),
        ("iu", "u"),
        ("ui", "i"),
        ("ve", "e"),
        ("v", "i"),
        ("un", "u"),
        ("ong", "o"),
    ],
)
def test_finals(final, vowel):
    assert vowel_of_final(final) == vowel


def test_the_guides_lines_and_tags(slots):
    """A line end, a blank line and a tag rest one beat each; nothing else does."""
    lyrics = (
        "[Intro - piano]\n\n[Verse 1]\n月光洒在窗台上\n我听见你的呼吸\n\n[Chorus - powerful]\n让我们燃烧吧"
    )
    rests = [one is None for one in slots(lyrics)]
    assert rests == [True] * 4 + [False] * 7 + [True] + [False] * 7 + [True] * 3 + [False] * 6


@pytest.mark.parametrize(
    ("lyrics", "wanted"),
    [
        ("きょう は いい てんき", "ko u ka i i te nu ki"),
        ("キャット", "ka to"),
        ("しゃ ちゅ りょ", "sa tu lo"),
        ("안녕하세요", "a ne ka se o"),
        ("사랑해 한국", "sa la ke ka ku"),
        ("tonight we sing", "to ni le si"),
        ("Ágil NIÑO", "a ki ni no"),
        ("TONIGHT Tonight tonight", "to ni to ni to ni"),
        ("banana, banana!", "ma na na ma na na"),
    ],
)
def test_scripts_sing_their_sounds(said, lyrics, wanted):
    assert said(lyrics) == wanted.split()


@pytest.mark.parametrize("text", ["🎵🎶", "123 456", "…!?", "brr hmm"])
def test_what_has_no_sound_is_skipped(said, text):
    assert said(f"la {text} mi") == ["la", "mi"]


@pytest.mark.parametrize("text", ["привет", "שלום", "مرحبا", "สวัสดี", "鱻"])
def test_letters_without_a_sound_of_their_own_sing_la(slots, text):
    assert slots(text) and set(slots(text)) == {LA}


def test_a_word_of_the_lexicon_sings_la(said):
    assert said("mi house mi") == ["mi", "la", "mi"]


@pytest.mark.parametrize(
    "lyrics", ["[Instrumental]", "[instrumental]", "", "[Verse]\n[Guitar Solo]\n\n[Outro]"]
)
def test_tags_rest(slots, lyrics):
    assert slots(lyrics) == ()


def test_long_lyrics_are_read_whole(writer, slots):
    line = "月光洒在窗台上\n"
    lyrics = Song(caption="a", lyrics=(line * 512)[:4096]).lyrics
    assert len(lyrics) == 4096 and len(slots(lyrics)) >= 4095
    assert len(writer.tokens(lyrics)) == 4097  # the end is one more


def test_every_tempo_is_one_token(class_of):
    for bpm in BPM_RANGE:
        block = prompts.metas(bpm, None, None, 30)
        (tempo, *_), rest = class_of(block)[:1], class_of(block)[1:]
        assert tempo == phrases()[f"bpm: {bpm}"] and not any(name.startswith("tempo") for name in rest)
        assert tempo.startswith("tempo ")


def test_all_seventy_keyscales_are_one_token(class_of):
    spellings = {
        f"{letter}{sign} {mode}"
        for letter in "ABCDEFG"
        for sign in ("", "#", "b", "♯", "♭")
        for mode in ("major", "minor")
    }
    assert len(spellings) == 70 == len(lexicon.keyscale_spellings())
    for spelling in spellings:
        keyscale = Song(caption="a", keyscale=spelling).keyscale
        (name,) = [n for n in class_of(prompts.metas(None, None, keyscale, 30)) if n.startswith("key")]
        note = spelling.split()[0].replace("♯", "#").replace("♭", "b")
        tone = NOTES.index(note[0]) + (note[1:] == "#") - (note[1:] == "b")
        assert name == f"key {NOTES[tone % 12]} {spelling.split()[1]}"


def test_a_prompt_is_read_as_its_parts(class_of):
    prompt = prompts.text_prompt(
        prompts.instruction("text2music"), "warm piano ballad", prompts.metas(97, "4", "F# minor", 30)
    )
    names = [name for name in class_of(prompt) if not name.startswith("syllable")]
    assert [name for name in names if name not in ("line end", "blank line")] == [
        *("instruction", "text2music", "caption", "piano", "ballad", "metas"),
        *(phrases()["bpm: 97"], "time 4", "key F# minor", "duration", "end"),
    ]
    silent = class_of(prompts.metas(None, None, None, 30))
    assert silent[::2] == ["bpm: n/a", "time n/a", "keyscale: n/a", "duration"]


@pytest.mark.parametrize("task", prompts.INSTRUCTIONS)
def test_instructions_name_task_and_tracks(class_of, task):
    tracked = task in prompts.INSTRUCTIONS_WITHOUT_TRACK
    names = class_of(prompts.instruction(task, ("drums", "keyboard") if tracked else ()))
    assert names[0] == task
    assert [name for name in names if name in ("drums", "piano", "|")] == (["drums", "|", "piano"] * tracked)
    assert not any(name.startswith("syllable") for name in names)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_header(class_of, language):
    assert class_of(prompts.lyric_prompt("la", language))[:2] == ["language", "lyric"]


def test_no_phrase_is_ambiguous():
    texts = [text for group in lexicon.CONCEPTS.values() for text in group]
    assert len(texts) == len(set(texts)) and all(text == text.lower() for text in texts)
    assert not set(texts) & set(syllables())


def test_every_phrase_is_one_token_of_its_class(class_of):
    frames = {"tag", "end", "pad", "line end", "blank line", "|"}
    for name, texts in lexicon.CONCEPTS.items():
        for text in texts:
            if name not in frames:
                assert class_of(text) == [name], text
                assert class_of(f"a {text}, b")[1] == name, text


def test_parts_of_words_are_not_phrases(class_of):
    assert (
        "pop" not in class_of("popular")
        and "male" not in class_of("female")
        and "bass" not in class_of("bassoon")
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("acoustic guitars", ["guitar"]),
        ("female vocalist", ["female"]),
        ("deep male voices and trumpets", ["male", "brass"]),
        ("drum kits, bass lines", ["drums", "bass"]),
    ],
)
def test_a_longer_word_hides_no_phrase(class_of, text, wanted):
    assert [name for name in class_of(text) if name in lexicon.CONCEPTS] == wanted


def test_classes_are_total(tokenizer):
    table = classes(tokenizer)
    vocabulary = tokenizer.get_vocab()
    assert sorted(vocabulary.values()) == list(range(len(tokenizer))) and len(table) == len(tokenizer)
    assert set(np.unique(table)) <= set(range(len(class_names()))) and len(class_names()) < len(tokenizer)
    assert len(set(class_names())) == len(class_names())
    for text, syllable in syllables().items():
        assert syllable_of_class(int(table[vocabulary[text]])) == syllable


def test_every_class_of_words_is_in_use(tokenizer):
    used = {class_names()[c] for c in classes(tokenizer)}
    assert {name for name in class_names() if not name.startswith("syllable")} <= used


def test_a_saved_tokenizer_reads_the_same_and_needs_nothing_of_training(tokenizer, tmp_path):
    """What the engine loads of nano works without the extra `train`."""
    tokenizer.save_pretrained(tmp_path)
    text = prompts.lyric_prompt("[Verse]\n月光洒在 きゃ 안녕 la, привет 🎵", "zh") + prompts.metas(
        97, "4", "C major", 30
    )
    code = (
        "import sys; sys.modules['pypinyin'] = sys.modules['scipy'] = None\n"
        "import acestep_nb.nano.codec\n"
        "from transformers import PreTrainedTokenizerFast\n"
        f"loaded = PreTrainedTokenizerFast.from_pretrained({str(tmp_path)!r})\n"
        f"print(loaded({text!r})['input_ids'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tokenizer(text)["input_ids"])


def test_batches_are_padded_at_the_right(tokenizer):
    read = tokenizer(["la", "la la la"], padding="longest")
    assert read["attention_mask"] == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert read["input_ids"][0][2:] == [tokenizer.pad_token_id] * 2
    assert read["input_ids"][1][-1] == tokenizer.eos_token_id
