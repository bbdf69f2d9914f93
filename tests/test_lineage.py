import dataclasses
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import takes

from acestep_nb import Edit, History, PlanOptions, RenderOptions, RepaintOptions, Song, language
from acestep_nb.edits import Source
from acestep_nb.index import Entry
from acestep_nb.knobs import to_dict
from acestep_nb.lineage import BESIDE, changes, in_words, lineage, one_line
from acestep_nb.marks import Marks
from acestep_nb.plans import Planned
from acestep_nb.seeds import Seeds

SOURCE = Source("0007_rain_s1", "0" * 64, 20.0)
EDIT = Edit(task="repaint", sources=(SOURCE,), region=(12, 18.5))
PLANNED = Planned("lm", "sha256:1", PlanOptions(), "bpm: 76", Song(caption="rain"))


def told(child, parent) -> list[str]:
    return [str(change) for change in changes(child, parent)]


def test_changes_are_told_as_a_person_says_them(make_take):
    take = make_take(seed=7)
    assert changes(take, take) == () and in_words(()) == "nothing changed"
    assert told(make_take(seed=8), take)[0] == "Noise seed 7 → 8"
    assert told(replace(take, seeds=Seeds.of(8)), take) == ["Noise seed 7 → 8"]
    assert told(replace(take, seeds=replace(take.seeds, retake=3)), take)[0].startswith("Retake seed ")
    song = replace(take.song, bpm=92, keyscale="Am", caption="rainy morning")
    assert told(replace(take, song=song), take) == [
        "Caption “…night” → “…morning”",
        "Tempo auto → 92 bpm",
        "Key auto → A minor",
    ]
    options = RenderOptions(shift=3, sampler="heun", normalize=False, timesteps=(0.9, 0.5))
    assert told(replace(take, options=options), take) == [
        "Shift auto → 3",
        "Sampler Euler → Heun",
        "Timesteps auto → 0.9, 0.5",
        "Normalise on → off",
    ]


def test_an_edit_is_told_by_what_it_did(make_take):
    take = make_take()
    child = replace(take, edit=EDIT)
    assert told(child, take) == [
        "Task text2music → repaint",
        "Source – → 0007_rain_s1",
        "Region – → 12–18.5 s",
    ]
    firm = replace(EDIT, repaint=RepaintOptions("conservative"))
    assert told(replace(take, edit=firm), child) == ["Repaint mode Balanced → Conservative"]


def test_plans_codes_and_machines_are_told(make_take):
    take = make_take()
    child = replace(take, codes=(1, 2, 3), planned=PLANNED, versions={"torch": "2.6"}, dtype="bfloat16")
    found = {change.field: str(change) for change in changes(child, take)}
    assert found["codes"] == "Codes – → 3 codes" and found["planned.planner"] == "Planner – → lm"
    assert found["planned.asked.caption"] == "Caption as asked “” → “rain”"
    assert found["versions.torch"] == "torch – → 2.6" and found["versions.acestep_nb"] == "acestep_nb 0 → –"
    assert found["dtype"] == "Number format float32 → bfloat16"
    assert told(replace(child, codes=(1, 2, 4)), child) == ["Codes changed"]
    assert told(replace(take, checkpoint_hash="sha256:1"), take) == ["Checkpoint files sha256:0 → sha256:1"]


def test_long_words_are_cut_and_told_to_differ(make_take):
    take = make_take()
    long = replace(take, song=replace(take.song, lyrics="la " * 300 + "la"))
    other = replace(take, song=replace(take.song, lyrics="la " * 300 + "lo"))
    assert told(other, long) == ["Lyrics “…la” → “…lo”"]
    one = replace(take, song=replace(take.song, lyrics="x" * 100 + "a"))
    two = replace(take, song=replace(take.song, lyrics="x" * 100 + "b"))
    assert told(two, one) == ["Lyrics changed"]
    three = replace(take, song=replace(take.song, lyrics="[Verse]\nla la la"))
    assert told(three, take) == ["Lyrics “…la” → “…la la”"] and told(take, three) == [
        "Lyrics “…la la” → “…la”"
    ]


def test_it_speaks_the_language_of_the_interface(make_take, monkeypatch):
    from acestep_nb import locales

    monkeypatch.setattr(locales, "catalogue", lambda code: {"Tempo": "テンポ", "auto": "自動"})
    take = make_take()
    language("ja")
    try:
        assert told(replace(take, song=replace(take.song, bpm=92)), take) == ["テンポ 自動 → 92 bpm"]
    finally:
        language("en")


def made_of(take) -> dict:
    record = to_dict(take)
    return {name: value for name, value in record.items() if name not in BESIDE}


def leaves(value, path="") -> dict:
    if isinstance(value, dict) and value:
        return {
            inner: leaf
            for key, item in value.items()
            for inner, leaf in leaves(item, f"{path}.{key}").items()
        }
    return {path.lstrip("."): value}


@given(takes, takes, st.booleans(), st.booleans())
@settings(max_examples=150)
def test_nothing_is_forgotten(one, two, planned, other):
    """Every leaf of the two records that differs has its change, and equal records have none."""
    one = replace(one, planned=PLANNED if planned else None)
    two = replace(two, planned=replace(PLANNED, asked=None) if other else None)
    found = changes(one, two)
    assert (found == ()) == (made_of(one) == made_of(two))
    fields = {change.field for change in found}
    ours, theirs = leaves(made_of(one)), leaves(made_of(two))
    shared = [path for path in ours if path in theirs and ours[path] != theirs[path]]
    for path in shared:
        derived = path.startswith("seeds.") and one.seeds == Seeds.of(one.seed)
        place = "task" if path == "edit.task" else path
        told = (place == field or place.startswith(f"{field}.") for field in fields)
        assert derived or any(told), path
    assert all(str(change) for change in found) and len(fields) == len(found)
    assert changes(one, one) == ()


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Song)])
def test_each_field_of_a_song_is_told_by_its_own_name(make_take, field):
    values = {"caption": "x", "lyrics": "y", "vocal_language": "ja", "bpm": 80, "keyscale": "C minor"}
    values |= {"timesignature": "3", "duration": 42.0}
    take = make_take()
    (change,) = changes(replace(take, song=replace(take.song, **{field: values[field]})), take)
    assert (change.field, change.after) == (f"song.{field}", values[field])
    assert change.before == getattr(take.song, field) and change.rule.label == change.label


def entry(name: str, parent: str | None = None, marks: Marks = Marks()) -> Entry:  # noqa: B008
    return Entry(name, "", "cover" if parent else "text2music", 1, "", parent, None, None, marks)


def test_takes_stand_below_what_they_were_made_from():
    entries = [
        entry("0005_e_s1", "0009_gone_s1"),
        entry("0004_d_s1", "0002_b_s1"),
        entry("0003_c_s1", "0001_a_s1", Marks(rejected=True)),
        entry("0002_b_s1", "0001_a_s1", Marks(starred=True)),
        entry("0001_a_s1"),
    ]
    assert str(lineage(entries)) == (
        "0005_e_s1 · cover\n"
        "0001_a_s1 · text2music\n"
        "└─ 0002_b_s1 · cover · ★\n"
        "   └─ 0004_d_s1 · cover\n"
        "└─ 0003_c_s1 · cover · rejected"
    )
    assert [entry.name[:4] for _, entry in lineage(entries, "0004_d_s1").rows] == [
        "0001",
        "0002",
        "0004",
        "0003",
    ]
    assert [depth for depth, _ in lineage(entries, "0005_e_s1").rows] == [0]
    assert lineage(entries, "none").rows == () and str(lineage([])) == ""


def test_a_tree_is_html_that_nobody_can_write_into():
    html = lineage([entry("0001_<script>_s1")])._repr_html_()
    assert "&lt;script&gt;" in html and "<script>" not in html


def test_circles_and_long_chains_end():
    circle = [
        entry("0002_b_s1", "0001_a_s1"),
        entry("0001_a_s1", "0002_b_s1"),
        entry("0000_c_s1", "0000_c_s1"),
    ]
    assert [depth for depth, _ in lineage(circle).rows] == [0, 1, 0]
    names = [f"{i:05}_x_s1" for i in range(5000, 0, -1)]
    chain = [entry(name, parent) for name, parent in zip(names, [*names[1:], None])]
    tree = lineage(chain)
    assert tree.rows[-1][0] == 4999 and len(str(tree)) < 1_000_000


def test_the_parent_of_a_take_is_found(tmp_path, make_take):
    project = History(tmp_path)
    first = project.add(make_take())
    child = project.add(replace(make_take(seed=8), parent=first.name))
    assert project.parent(child) == first and project.parent(first) is None
    assert told(child, first) == ["Noise seed 7 → 8"]
    other = project.add(make_take(seed=9))
    assert [(depth, entry.seed) for depth, entry in project.lineage().rows] == [(0, 9), (0, 7), (1, 8)]
    assert [entry.seed for _, entry in project.lineage(child).rows] == [7, 8]
    assert [entry.seed for _, entry in project.lineage(other).rows] == [9]
    project.remove(first)
    assert project.parent(child) is None


def test_long_text_is_cut_to_one_line():
    assert one_line(" a\n b  c ") == "a b c" and one_line("") == ""
    assert one_line("x" * 40) == "x" * 40 and one_line("x" * 41) == "x" * 40 + "…"
    assert one_line("one two", 4) == "one…"
