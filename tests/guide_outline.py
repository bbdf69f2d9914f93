"""The guide's outline, and where the course teaches each part of it; names and notes are ours.

Every heading and every table of the guide stands here once, in its order. `names` are what the notebook's section must
tell about: parameters, tags or models, written as we write them. A few have other names here than in the guide:
`task_type` is the verb, `src_audio` the `source`, `audio_codes` are `codes`, `repainting_start/end` are the `region`,
`batch_size` is the number of seeds, the planner's parameters have lost their `lm_`, `use_adg` is `guidance="adg"`,
and constrained decoding is always on.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A heading, table or list of the guide, the notebook and the section that teach it, and what must occur there."""

    kind: str
    id: str
    notebook: str
    section: str
    names: tuple[str, ...] = ()


def _part(kind: str, id: str, place: str, names: str = "") -> Part:
    notebook, section = place.split(": ", 1)
    return Part(kind, id, notebook, section, tuple(name.strip() for name in names.split("·") if name.strip()))


OUTLINE = (
    _part("heading", "title", "01_mental_model: Riding the elephant"),
    _part("heading", "mental-model", "01_mental_model: Riding the elephant"),
    _part("heading", "human-centred", "01_mental_model: An instrument, not a vending machine", "play · partner"),
    _part("heading", "one-click", "01_mental_model: An instrument, not a vending machine", "order"),
    _part("heading", "what-human-centred-is", "01_mental_model: An instrument, not a vending machine",
          "caption · cover · repaint · layer"),
    _part("heading", "open-local-trainable-fast", "01_mental_model: An instrument, not a vending machine",
          "open · own machine · ready before"),
    _part("heading", "finite-infinite", "01_mental_model: The infinite game", "finite · infinite"),
    _part("heading", "elephant", "01_mental_model: You steer, the elephant walks", "rider"),
    _part("heading", "iceberg", "01_mental_model: You steer, the elephant walks", "iceberg"),
    _part("heading", "what-the-elephant-is", "01_mental_model: You steer, the elephant walks", "data · algorithms"),
    _part("heading", "taste", "01_mental_model: You steer, the elephant walks", "taste · average"),
    _part("heading", "herd", "01_mental_model: A family with two brains"),
    _part("heading", "two-brains", "01_mental_model: A family with two brains", "planner · renderer · outline · codes"),
    _part("heading", "planners", "01_mental_model: Which planner"),
    _part("table", "planner-sizes", "01_mental_model: Which planner", "none · `0.6B` · `1.7B` · `4B` · 8–16 GB"),
    _part("heading", "renderers", "01_mental_model: Which renderer"),
    _part("heading", "turbo", "01_mental_model: Which renderer", "shift · outline · detail"),
    _part("table", "turbo-kinds", "01_mental_model: Which renderer",
          "`turbo` · `turbo-shift1` · `turbo-shift3` · `turbo-continuous`"),
    _part("heading", "sft", "01_mental_model: Which renderer", "`sft` · 50 · guidance"),
    _part("heading", "base", "01_mental_model: Which renderer", "`base` · clay"),
    _part("table", "base-tasks", "01_mental_model: Which renderer", "`extract` · `lego` · `complete`"),
    _part("heading", "own-model", "01_mental_model: Your own elephant", "LoRA · 14_lora.ipynb"),
    _part("heading", "renderers-in-short", "01_mental_model: Which renderer"),
    _part("table", "renderers-table", "01_mental_model: Which renderer", "`turbo` · `sft` · `base` · steps · speed"),
    _part("heading", "pairs", "01_mental_model: Which pair, and how to get it"),
    _part("table", "pairs-table", "01_mental_model: Which pair, and how to get it",
          "fastest · every day · detail · lego, extract, complete · train · less than 4 GB"),
    _part("heading", "download", "01_mental_model: Which pair, and how to get it",
          "acestep-nb download · --list · --all · checkpoints"),
    _part("heading", "what-can-be-steered", "06_text2music: What you can ask for", "ask for · made · chance"),
    _part("heading", "inputs", "06_text2music: What you can ask for"),
    _part("table", "inputs-table", "06_text2music: What you can ask for",
          "`generate` · `cover` · `repaint` · `lego` · `extract` · `complete` · `caption` · `lyrics` · `bpm` · "
          "`keyscale` · `timesignature` · `vocal_language` · `duration` · `reference_audio` · `source` · `codes` · "
          "`region`"),
    _part("heading", "caption", "02_captions: Captions: the portrait", "style words · sentences"),
    _part("list", "caption-five-ways", "02_captions: Five ways to a good one",
          "Dice · Format · Thinking · Listen · Simple"),
    _part("table", "caption-sides", "02_captions: Nine sides of a sound",
          "style · mood · instruments · texture · era · production · voice · rhythm · structure"),
    _part("list", "caption-seven-rules", "02_captions: Seven habits",
          "specific · Combine · reference · texture · Don't polish · grain · fight"),
    _part("list", "caption-conflicts", "02_captions: Words that fight", "say it twice · story"),
    _part("heading", "lyrics", "03_lyrics: Lyrics: the shooting script"),
    _part("table", "structure-tags", "03_lyrics: Tags that build",
          "[Intro] · [Verse] · [Verse 1] · [Pre-Chorus] · [Chorus] · [Bridge] · [Outro] · [Build] · [Drop] · "
          "[Breakdown] · [Instrumental] · [Guitar Solo] · [Piano Interlude] · [Fade Out] · [Silence]"),
    _part("list", "tags-combined", "03_lyrics: Tags that build", "[Chorus - anthemic] · [Bridge - whispered] · pile"),
    _part("list", "caption-and-lyrics-agree", "03_lyrics: One story", "instruments · mood · voice"),
    _part("table", "voice-tags", "03_lyrics: Voices and energy",
          "[raspy vocal] · [whispered] · [falsetto] · [powerful belting] · [spoken word] · [harmonies] · "
          "[call and response] · [ad-lib]"),
    _part("table", "energy-tags", "03_lyrics: Voices and energy",
          "[high energy] · [low energy] · [building energy] · [explosive] · [melancholic] · [euphoric] · [dreamy] · "
          "[aggressive]"),
    _part("list", "five-tips", "03_lyrics: Lines that can be sung",
          "6–10 syllables · CAPITALS · parentheses · vowel · blank line"),
    _part("table", "red-flags", "03_lyrics: Lyrics that smell of a machine",
          "adjectives · rhymes · spills · breath · metaphors"),
    _part("list", "one-metaphor", "03_lyrics: Lyrics that smell of a machine", "picture a song · Water"),
    _part("list", "instrumental", "03_lyrics: Without a voice", "[Instrumental] · [Main Theme - piano]"),
    _part("list", "complete-example", "03_lyrics: All of it in one song", "[Verse 1] · [Chorus - powerful]"),
    _part("heading", "metas", "04_metas: Metas: anchors, not orders"),
    _part("table", "metas-table", "04_metas: What can be set",
          "`bpm` · `keyscale` · `timesignature` · `vocal_language` · `duration` · 30–300"),
    _part("list", "metas-bounds", "04_metas: How far they hold", "60–180 · A minor · 4/4 · Length"),
    _part("list", "metas-anchor", "04_metas: An anchor", "120 · 118 · 122"),
    _part("table", "metas-when", "04_metas: When to set what",
          "any song · a tempo · a waltz · fits other material · colour of a key"),
    _part("list", "metas-not-in-caption", "04_metas: When to set what", "quarrel · bpm=160 · caption"),
    _part("heading", "sound-control", "07_cover_and_reference: Sound steers sound: reference and cover", "three ways"),
    _part("heading", "reference-audio", "07_cover_and_reference: A reference lends its timbre",
          "`reference_audio` · averaged over time · 48 kHz · silent · 30 s · latents"),
    _part("heading", "source-audio", "07_cover_and_reference: A source lends its structure",
          "melody · rhythm · chords · arrangement · style · seeds · `audio_cover_strength`"),
    _part("list", "cover-further", "07_cover_and_reference: Remixes", "style · lyrics · mood · shape"),
    _part("heading", "repaint", "08_repaint_extend_stitch: Repaint: this passage again, please", "3 to 90 seconds"),
    _part("list", "repaint-uses", "08_repaint_extend_stitch: Five things to do with it",
          "passage · words · form · Go on · timbre"),
    _part("list", "repaint-endless", "08_repaint_extend_stitch: Without an end", "`extend`"),
    _part("list", "repaint-stitch", "08_repaint_extend_stitch: Two become one", "`stitch`"),
    _part("heading", "base-sound-control", "09_lego: Lego: one more track", "rhythm · harmony"),
    _part("list", "extract-task", "10_extract: Extract: one track out of the mix", "`extract`"),
    _part("list", "complete-task", "11_complete: Complete: a band around one track", "`complete`"),
    _part("list", "codes-reused", "12_understand_and_codes: Reuse, cut, mix", "variation · loop · mixed"),
    _part("heading", "hyperparameters", "05_seeds_and_sampling: The renderer's knobs", "hold the seed"),
    _part("table", "renderer-knobs", "05_seeds_and_sampling: The renderer's knobs",
          '`inference_steps` · `guidance_scale` · `guidance="adg"` · `cfg_interval_start` · `_end` · `shift` · '
          "`infer_method` · `timesteps` · `audio_cover_strength`"),
    _part("table", "planner-knobs", "05_seeds_and_sampling: The planner's knobs",
          "`thinking` · `temperature` · `cfg_scale` · `top_k` · `top_p` · `negative_prompt` · `use_cot_metas` · "
          "`use_cot_caption` · `use_cot_language` · constrained"),
    _part("heading", "chance", "05_seeds_and_sampling: Three kinds of chance", "Noise · Planning · SDE"),
    _part("heading", "chance-good-and-bad", "05_seeds_and_sampling: Living with chance", "finds · hides"),
    _part("heading", "chance-attitudes", "05_seeds_and_sampling: Living with chance", "hunt · hold · free · scores"),
    _part("heading", "batches-and-scores", "13_batch_autogen_scores: Many takes, sorted for you",
          "batch · scores · test-time scaling"),
    _part("list", "alignment-score", "13_batch_autogen_scores: The score to trust", "Lyric alignment"),
    _part("list", "batch-workflow", "13_batch_autogen_scores: How it goes", "2, 4 or 8 · AutoGen · Sort · ears"),
    _part("heading", "closing", "15_inside: The end, which is a beginning"),
)  # fmt: skip
