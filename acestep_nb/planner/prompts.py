"""The exact words that the planner reads, for each thing that it can be asked.

The instruction sentences and the layout are the protocol of the ACE-Step 1.5 language models; turns are
written by the chat template that lies beside the tokenizer. Nothing here needs torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from acestep_nb.codes import format_codes
from acestep_nb.errors import CheckpointError, InputError

Messages = list[dict[str, str]]

INSTRUCTIONS: Mapping[str, str] = {
    "plan": "Generate audio semantic tokens based on the given conditions:",
    "understand": "Understand the given musical conditions and describe the audio semantics accordingly:",
    "create": "Expand the user's input into a more detailed and specific musical description:",
    "format": "Format the user's input into a more detailed and specific musical description:",
}
NO_INPUT = "NO USER INPUT"
"""What stands where a person has written nothing; also the negative prompt that means none."""
NO_THOUGHT = "<think>\n</think>"
"""The answer before the codes of the unconditional prompt."""
_BRACKETED = re.compile(r"<[^<>\s]+>")


def messages(mode: str, user: str, answer: str | None = None) -> Messages:
    """The turns of a talk: the instruction of ``mode``, what the user says, and the answer begun, if any."""
    turns = [
        {"role": "system", "content": f"# Instruction\n{INSTRUCTIONS[mode]}\n\n"},
        {"role": "user", "content": user},
    ]
    return turns if answer is None else [*turns, {"role": "assistant", "content": answer}]


def plan_messages(caption: str, lyrics: str) -> Messages:
    """Asks for the plan in words of a song."""
    return messages("plan", _song(caption, lyrics))


def plan_negative(lyrics: str, negative: str = "") -> Messages:
    """Asks for the same without the caption, or with the negative prompt for one: guidance leads away from it."""
    return messages("plan", _song(negative, lyrics) if _meant(negative) else f"# Lyric\n{lyrics}\n")


def codes_messages(caption: str, lyrics: str, cot: str) -> Messages:
    """Asks for the codes of a song whose plan in words is the text ``cot``; the caption is the person's own."""
    return messages("plan", _song(caption, lyrics), cot)


def codes_negative(caption: str, lyrics: str, negative: str = "") -> Messages:
    """Asks for codes without a plan: guidance leads away from it."""
    return messages("plan", _song(negative if _meant(negative) else caption, lyrics), NO_THOUGHT)


def understand_messages(codes: Sequence[int]) -> Messages:
    """Asks what the codes of a sound are; without codes the planner invents a song."""
    return messages("understand", format_codes(codes) or NO_INPUT)


def create_messages(query: str, instrumental: bool) -> Messages:
    """Asks for a song out of a few words; without words for any song."""
    return messages("create", f"{query.strip() or NO_INPUT}\n\ninstrumental: {str(instrumental).lower()}")


def format_messages(caption: str, lyrics: str) -> Messages:
    """Asks for caption and lyrics in the form that the model knows best."""
    return messages("format", _song(caption, lyrics)[:-1])


def rendered(tokenizer: Any, talk: Messages) -> str:
    """The talk as one text in the tokenizer's chat template, the planner's turn next.

    ``CheckpointError`` when the tokenizer has no chat template.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise CheckpointError(
            "the planner's tokenizer has no chat template",
            field="tokenizer",
            allowed="a tokenizer_config.json or chat_template.jinja with one",
            remedy="Copy or download the planner's folder again.",
        )
    ask = talk[-1]["role"] == "user"
    text = str(tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=ask))
    return text if text.endswith("\n") else f"{text}\n"


def encoded(tokenizer: Any, talk: Messages) -> list[int]:
    """The tokens of the talk as :func:`rendered` writes it."""
    return _plain(tokenizer, rendered(tokenizer, talk))


def require_readable(tokenizer: Any, texts: Mapping[str, str]) -> None:
    """Raise ``InputError`` for the first text, by field, that the planner would not read as it is written.

    A control token in it, such as ``<|im_end|>``, would end the turn; a character that the vocabulary lacks
    would be lost.
    """
    for name, text in texts.items():
        found = _control(tokenizer, text) or _unknown(tokenizer, text)
        if found is not None:
            raise InputError(
                f"the planner cannot read {found!r} in {name}",
                field=name,
                value=found,
                allowed="words in the planner's vocabulary, without its control tokens",
                remedy=f"Remove {found} from {name}.",
            )


def _control(tokenizer: Any, text: str) -> str | None:
    """The first word in angle brackets that is a token of its own, beside the vocabulary of words."""
    for word in _BRACKETED.findall(text):
        tokens = _plain(tokenizer, word)
        if len(tokens) == 1 and tokens[0] in tokenizer.added_tokens_decoder:
            return str(word)
    return None


def _unknown(tokenizer: Any, text: str) -> str | None:
    """The first part of the text that the vocabulary lacks."""
    read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    if tokenizer.unk_token_id is None or tokenizer.unk_token_id not in read["input_ids"]:
        return None
    start, end = read["offset_mapping"][read["input_ids"].index(tokenizer.unk_token_id)]
    return text[start:end]


def _plain(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


def _song(caption: str, lyrics: str) -> str:
    return f"# Caption\n{caption}\n\n# Lyric\n{lyrics}\n"


def _meant(negative: str) -> bool:
    return negative.strip() not in ("", NO_INPUT)
