"""The words that nano understands, by meaning: every phrase of a concept shares one embedding row.

A word that is not here is read as syllables: sung in lyrics, ignored in captions. A word that is here and
stands in lyrics is sung on `la`.
"""

from __future__ import annotations

from acestep_nb.nano.music import NOTES

CONCEPTS: dict[str, tuple[str, ...]] = {
    # genres
    "rock": ("rock", "indie rock", "punk", "punk rock", "grunge", "metal", "hard rock", "garage rock",
             "ロック", "摇滚"),
    "house": ("house", "electronic", "electronica", "edm", "techno", "dance", "club", "trance", "deep house",
              "synthwave", "synth-pop", "disco", "ハウス", "ダンス", "电子", "舞曲"),
    "hiphop": ("hiphop", "hip-hop", "hip hop", "rap", "trap", "boom bap", "lo-fi", "lofi",
               "ヒップホップ", "嘻哈", "说唱"),
    "jazz": ("jazz", "jazzy", "swing", "blues", "bebop", "bossa nova", "soul", "ジャズ", "爵士"),
    "ballad": ("ballad", "folk", "acoustic", "singer-songwriter", "chanson", "lullaby",
               "バラード", "抒情", "民谣"),
    "pop": ("pop", "j-pop", "k-pop", "c-pop", "dance-pop", "indie pop", "ポップ", "流行"),
    # chord instruments
    "piano": ("piano", "grand piano", "electric piano", "keys", "keyboard", "rhodes", "ピアノ", "钢琴"),
    "organ": ("organ", "hammond", "church organ", "オルガン", "管风琴"),
    "guitar": ("guitar", "guitars", "acoustic guitar", "electric guitar", "ギター", "吉他"),
    "synth": ("synth", "synths", "synth pad", "synth pads", "synthesizer", "pads", "シンセ", "合成器"),
    # lead instruments
    "flute": ("flute", "flutes", "woodwinds", "clarinet", "フルート", "长笛"),
    "brass": ("brass", "trumpet", "horns", "horn", "trombone", "saxophone", "sax",
              "ブラス", "トランペット", "小号", "铜管"),
    "strings": ("strings", "string section", "violin", "violins", "cello",
                "ストリングス", "バイオリン", "弦乐", "小提琴"),
    # rhythm section
    "drums": ("drums", "drum", "drum kit", "drum beat", "beats", "percussion", "808 drums",
              "ドラム", "鼓点", "鼓声"),
    "no drums": ("no drums", "without drums", "drumless", "no percussion", "without percussion",
                 "ドラムなし", "无鼓"),
    "bass": ("bass", "bassline", "bass line", "bass guitar", "electric bass", "sub bass", "ベース", "贝斯"),
    "no bass": ("no bass", "without bass", "ベースなし", "无贝斯"),
    # voice
    "female": ("female", "woman", "female voice", "female vocal", "female vocals", "breathy female vocal",
               "soprano", "女性ボーカル", "女声"),
    "male": ("male", "man", "male voice", "male vocal", "male vocals", "baritone", "tenor",
             "男性ボーカル", "男声"),
    "instrumental": ("instrumental", "no vocals", "without vocals", "no singing", "[instrumental]",
                     "インスト", "纯音乐"),
    # mood decides the mode when no key is asked
    "major mood": ("happy", "bright", "uplifting", "cheerful", "sunny", "euphoric", "joyful",
                   "明るい", "欢快"),
    "minor mood": ("sad", "dark", "melancholic", "emotional", "moody", "lonely", "haunting", "gloomy",
                   "悲しい", "悲伤"),
    # speed decides the tempo when no bpm is asked
    "slow": ("slow", "slow tempo", "laid-back", "relaxed", "calm", "ゆっくり", "缓慢"),
    "fast": ("fast", "fast-paced", "driving", "energetic", "up-tempo", "high energy", "速い", "快速"),
    # other track names of the instruction sentences
    "backing_vocals": ("backing_vocals",),
    "fx": ("fx",),
    # frame of the prompts
    "instruction": ("# instruction\n",),
    "caption": ("# caption\n",),
    "metas": ("# metas\n",),
    "lyric": ("# lyric\n",),
    "text2music": ("fill the audio semantic mask based on the given conditions:",),
    "cover": ("generate audio semantic tokens based on the given conditions:",),
    "repaint": ("repaint the mask area based on the given conditions:",),
    "extract": ("extract the",),
    "from audio": ("track from the audio:",),
    "lego": ("generate the",),
    "on context": ("track based on the audio context:",),
    "complete": ("complete the input track with", "complete the input track:"),
    "|": ("|",),
    "line end": ("\n",),
    "blank line": ("\n\n",),
    "tag": ("[tag]",),
    "end": ("<|endoftext|>",),
    "pad": ("<pad>",),
    "duration": ("duration:",),
    "bpm: n/a": ("bpm: n/a",),
    "keyscale: n/a": ("keyscale: n/a",),
}  # fmt: skip
# Understood, but never drawn in training: a longer word hides the phrase that it begins with.
ALSO: dict[str, tuple[str, ...]] = {
    "female": ("female vocalist", "female vocalists", "female vocalization", "female vocalizations"),
    "male": ("male vocalist", "male vocalists", "male vocalization", "male vocalizations"),
}
REST_CONCEPTS = (
    "line end",
    "blank line",
    "tag",
    "end",
    "pad",
    "lyric",
    "instrumental",
    "|",
)  # not sung in lyrics
LANGUAGE_HEADER = "# languages\n"
TIME_SIGNATURES = ("2", "3", "4", "6", "n/a")
ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}
NATURALS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


def keyscale_spellings() -> dict[str, tuple[int, str]]:
    """All 70 spellings of a key in lower case, with their tonic (C = 0) and mode."""
    return {
        f"{letter}{sign} {mode}": ((tone + shift) % len(NOTES), mode)
        for letter, tone in NATURALS.items()
        for sign, shift in ACCIDENTALS.items()
        for mode in ("major", "minor")
    }
