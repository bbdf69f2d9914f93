import pytest

from acestep_nb.kinds import COMMON_TASKS, KINDS, TASKS, kind_of


@pytest.mark.parametrize(
    ("name", "version", "is_turbo", "kind", "shift"),
    [
        ("acestep-v15-turbo", "turbo", True, "turbo", 3),
        ("acestep-v15-turbo-shift1", "turbo", True, "turbo", 1),
        ("acestep-v15-turbo-shift3", "turbo", True, "turbo", 3),
        ("acestep-v15-turbo-continuous", "turbo", True, "turbo-continuous", 3),
        ("acestep-v15-sft", "sft", False, "sft", 1),
        ("acestep-v15-base", "base", False, "base", 1),
        ("mine", "xl_turbo", True, "turbo", 3),
        ("my-turbo-songs", "", False, "base", 1),
    ],
)
def test_kinds_are_recognised(name, version, is_turbo, kind, shift):
    found = kind_of(name, version, is_turbo)
    assert (found.name, found.shift, found.is_turbo) == (kind, shift, is_turbo)
    assert found.guidance_scale == (1 if is_turbo else 7) and found.inference_steps == (8 if is_turbo else 50)


def test_xl_is_kept_and_only_base_was_trained_for_all_tasks():
    assert kind_of("a", "xl_base", False, xl=True).xl and not kind_of("a", "base", False).xl
    assert {name for name, kind in KINDS.items() if kind.tasks == TASKS} == {"base"}
    assert all(kind.tasks == COMMON_TASKS for name, kind in KINDS.items() if name != "base")
