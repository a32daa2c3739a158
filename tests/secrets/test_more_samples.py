"""What somebody made up who had not seen the rules: no secret is shown, nothing harmless is hidden."""

from inspector.stream.secrets import hide, hide_lines, shown_arguments, shown_value

from .further_samples import further, unharmed
from .later_samples import harmless, second, third
from .listed_samples import HARMLESS_LINES, HARMLESS_VARIABLES, HARMLESS_WORDS, listed
from .more_samples import Shape, first
from .newest_samples import HARMLESS, newest

SECRETS = [*first(), *second(), *third(), *newest(), *listed(), *further()]
HARMLESS_SHAPES = [*harmless(), *unharmed()]
"""Drawn by lot in this order, at each run the same."""


def shown(shape: Shape) -> list[str]:
    """The texts of a shape as they may be shown."""
    if shape.where == "log":
        return hide_lines(shape.text)[0]
    if shape.where == "arguments":
        return shown_arguments(shape.text)
    return [f"{key}={shown_value(key, value)}" for key, _, value in (text.partition("=") for text in shape.text)]


def test_no_secret_is_shown() -> None:
    texts = [(shape, "\n".join(shown(shape))) for shape in SECRETS]
    assert [text for shape, text in texts if any(secret in text for secret in shape.secrets)] == []


def test_nothing_harmless_is_hidden() -> None:
    assert [shown(shape) for shape in HARMLESS_SHAPES] == [shape.text for shape in HARMLESS_SHAPES]


def test_options_of_programs_that_nobody_knows_are_judged_by_the_shape_of_their_values() -> None:
    assert shown_arguments(["tool", *HARMLESS]) == ["tool", *HARMLESS]


def test_a_setting_that_is_listed_publicly_is_shown() -> None:
    for setting in HARMLESS_VARIABLES:
        key, _, value = setting.partition("=")
        assert shown_value(key, value) == value
        assert shown_arguments(["env", setting, "serve"]) == ["env", setting, "serve"]
        assert hide(f"with {setting}") == f"with {setting}"


def test_words_and_lines_of_gpu_programs_are_shown() -> None:
    assert shown_arguments(HARMLESS_WORDS) == HARMLESS_WORDS
    assert hide_lines(HARMLESS_LINES)[0] == HARMLESS_LINES
