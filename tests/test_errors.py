import pickle

import pytest

from acestep_nb import errors
from acestep_nb.errors import AceStepError, InputError, first_line


def test_the_sentence_names_field_allowed_value_and_remedy():
    error = InputError(field="bpm", value=12, allowed="30–300 or empty", remedy="Use 30 or more.")
    assert str(error) == "bpm must be 30–300 or empty; got 12. Use 30 or more."


def test_a_message_stands_in_for_the_sentence_and_ends_in_one_full_stop():
    assert (
        str(AceStepError("the file is damaged.", remedy="Fetch it again."))
        == "the file is damaged. Fetch it again."
    )
    assert str(AceStepError(field="width", value=3)) == "width cannot be 3"


def test_long_and_broken_values_are_shown_in_one_short_line():
    text = str(InputError(field="lyrics", value="la\n" * 30_000 + "\ud800", allowed="text"))
    assert len(text) < 150 and "\n" not in text
    assert "(90,001 characters)" in text
    str(InputError(field="caption", value="\ud800", allowed="text")).encode("utf-8")
    assert "of the type int" in str(InputError(field="bpm", value=10**5_000, allowed="a number"))


def test_to_dict_has_what_a_program_needs():
    error = InputError(field="keyscale", value="H", allowed="a key", remedy="Write Am.")
    assert error.to_dict() == {
        "type": "InputError",
        "message": "keyscale must be a key; got 'H'. Write Am.",
        "field": "keyscale",
        "value": "H",
        "allowed": "a key",
        "remedy": "Write Am.",
    }


@pytest.mark.parametrize(
    "name", ["InputError", "CheckpointError", "ProjectError", "RenderError", "Cancelled"]
)
def test_each_kind_is_an_acesteperror_and_survives_pickling(name):
    error = getattr(errors, name)(field="x", value=1, allowed="2", remedy="Try 2.")
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, AceStepError) and type(copy) is type(error)
    assert (str(copy), copy.field, copy.value) == (str(error), "x", 1)


def test_a_form_tells_an_error_by_its_own_name_for_the_field():
    error = InputError(field="bpm", value=12, allowed="30–300 or empty", remedy="Use 30 or more.")
    assert error.told("Tempo") == "Tempo must be 30–300 or empty; got 12. Use 30 or more."
    written = InputError("the file is damaged", field="audio", remedy="Fetch it again.")
    assert written.told("Sound") == str(written)
    assert pickle.loads(pickle.dumps(error)).told("Tempo") == error.told("Tempo")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError(" one\n two "), "one"),
        (ValueError("\n one \n"), "one"),
        (KeyError(), "KeyError"),
        (OSError(" \n"), "OSError"),
    ],
)
def test_the_first_line_of_an_error_is_never_empty(error, line):
    assert first_line(error) == line
