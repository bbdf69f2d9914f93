"""The exact strings that the text encoder and the lyric encoder read.

The layout, the instruction sentences and the `N/A` rules are the protocol of the ACE-Step 1.5 checkpoints:
another wording is another condition. Nothing here needs torch.
"""

from __future__ import annotations

from acestep_nb.errors import InputError

INSTRUCTIONS = {
    "text2music": "Fill the audio semantic mask based on the given conditions:",
    "cover": "Generate audio semantic tokens based on the given conditions:",
    "repaint": "Repaint the mask area based on the given conditions:",
    "extract": "Extract the {tracks} track from the audio:",
    "lego": "Generate the {tracks} track based on the audio context:",
    "complete": "Complete the input track with {tracks}:",
}
INSTRUCTIONS_WITHOUT_TRACK = {
    "extract": "Extract the track from the audio:",
    "lego": "Generate the track based on the audio context:",
    "complete": "Complete the input track:",
}
END_OF_TEXT = "<|endoftext|>"
TEXT_MAX_TOKENS = 256
LYRICS_MAX_TOKENS = 2048
UNKNOWN = "N/A"
UNKNOWN_LANGUAGE = "unknown"


def instruction(task: str, tracks: tuple[str, ...] = ()) -> str:
    """The instruction sentence of `task`; track names are upper-cased and joined with ` | `.

    Raises `InputError` for a task that is not known; the original took it for text2music.
    """
    if task not in INSTRUCTIONS:
        allowed = ", ".join(INSTRUCTIONS)
        raise InputError(field="task", value=task, allowed=allowed, remedy="Ask for one of these.")
    if tracks or task not in INSTRUCTIONS_WITHOUT_TRACK:
        return INSTRUCTIONS[task].format(tracks=" | ".join(track.upper() for track in tracks))
    return INSTRUCTIONS_WITHOUT_TRACK[task]


def plain_caption(caption: str) -> str:
    """The caption itself, also when a whole prompt was given as caption, as in the data for fine-tuning."""
    if "# Instruction" not in caption or "# Caption" not in caption:
        return caption
    return caption.split("# Caption", 1)[1].split("# Metas", 1)[0].strip()


def metas(bpm: int | None, timesignature: str | None, keyscale: str | None, duration: float) -> str:
    """The metas block, one `- name: value` line each; what is unknown is `N/A`, seconds are whole."""
    return (
        f"- bpm: {bpm or UNKNOWN}\n"
        f"- timesignature: {timesignature or UNKNOWN}\n"
        f"- keyscale: {keyscale or UNKNOWN}\n"
        f"- duration: {int(duration)} seconds\n"
    )


def text_prompt(sentence: str, caption: str, metas_block: str) -> str:
    """The prompt of the text encoder: instruction sentence, caption and metas."""
    return f"# Instruction\n{sentence}\n\n# Caption\n{caption}\n\n# Metas\n{metas_block}{END_OF_TEXT}\n"


def lyric_prompt(lyrics: str, vocal_language: str | None) -> str:
    """The prompt of the lyric encoder: language code and the lyrics as typed."""
    return f"# Languages\n{vocal_language or UNKNOWN_LANGUAGE}\n\n# Lyric\n{lyrics}{END_OF_TEXT}"
