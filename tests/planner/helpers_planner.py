"""For tests of the planner: a tokenizer of a few whole words, and codes as a form of their own."""

from __future__ import annotations


def word_tokenizer(words: str):
    """A tokenizer that knows these words, and `<unk>` for all others."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["<unk>", "<end>", *words.split()])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="<end>")


class Codes:
    """Codes and the end of the turn, over all rows of the head."""

    def __init__(self, tokenizer, vocabulary, count):
        from acestep_nb.planner.grammar import audio_code_ids

        self.count, self.made, self.done = count, 0, False
        self.codes, self.end = list(audio_code_ids(tokenizer).values()), tokenizer.eos_token_id
        self.vocabulary = vocabulary

    def mask(self):
        import torch

        mask = torch.zeros(self.vocabulary, dtype=torch.bool)
        mask[self.codes] = self.count.more(self.made)
        mask[self.end] = self.count.end(self.made)
        return mask

    def advance(self, token):
        assert self.mask()[token]
        self.done = token == self.end
        self.made += not self.done
