"""What somebody made up who had not seen the rules: no secret is shown, nothing harmless is hidden."""

import pytest

from inspector.stream.secrets import hide, hide_lines, shown_arguments, shown_value

from .further_samples import further, unharmed
from .later_samples import harmless, second, third
from .listed_samples import HARMLESS_LINES, HARMLESS_VARIABLES, HARMLESS_WORDS, listed
from .more_samples import Shape, first
from .newest_samples import HARMLESS, newest


def shown(shape: Shape) -> list[str]:
    """The texts of a shape as they may be shown."""
    if shape.where == "log":
        return hide_lines(shape.text)[0]
    if shape.where == "arguments":
        return shown_arguments(shape.text)
    return [f"{key}={shown_value(key, value)}" for key, _, value in (text.partition("=") for text in shape.text)]


@pytest.mark.parametrize(
    "shape", [*first(), *second(), *third(), *newest(), *listed(), *further()], ids=lambda shape: shape.where
)
def test_no_secret_is_shown(shape: Shape) -> None:
    text = "\n".join(shown(shape))
    assert not [secret for secret in shape.secrets if secret in text], text


@pytest.mark.parametrize("shape", [*harmless(), *unharmed()], ids=lambda shape: shape.where)
def test_nothing_harmless_is_hidden(shape: Shape) -> None:
    assert shown(shape) == shape.text


def test_options_of_programs_that_nobody_knows_are_judged_by_the_shape_of_their_values() -> None:
    assert shown_arguments(["tool", *HARMLESS]) == ["tool", *HARMLESS]


@pytest.mark.parametrize("setting", HARMLESS_VARIABLES)
def test_a_setting_that_is_listed_publicly_is_shown(setting: str) -> None:
    key, _, value = setting.partition("=")
    assert shown_value(key, value) == value
    assert shown_arguments(["env", setting, "serve"]) == ["env", setting, "serve"]
    assert hide(f"with {setting}") == f"with {setting}"


def test_words_and_lines_of_gpu_programs_are_shown() -> None:
    assert shown_arguments(HARMLESS_WORDS) == HARMLESS_WORDS
    assert hide_lines(HARMLESS_LINES)[0] == HARMLESS_LINES
