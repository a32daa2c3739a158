"""The answer of every case on a small screen: nothing that decides is cut, the chain comes first, healthy is quiet."""

import re

import pytest

from inspector.demo.cases import CASES
from inspector.view import header, ladder_lines
from inspector.view.chain_lines import answer_lines
from inspector.view.header import Line
from inspector.view.pane_context import PaneContext
from inspector.view.paths import short_paths
from tests.recordings import ALL, answer_of, state_of, together

WIDTH, HEIGHT = 80, 24
NAMED = re.compile(r"[\w-]+\.so[\w.]*|\b(?:cu|cuda|nvml|cl|vk)[A-Z]\w+|\b[A-Z][A-Z_]{6,}\b|\b\d+/\d+\b|\bstatic")
"""Files, functions, variables, amounts: what a reason names."""
WRONG = [case.name for case in CASES if case.family not in ("healthy", "logged")]
HEALTHY = [case.name for case in CASES if case.family == "healthy"]


def context_of(name: str) -> PaneContext:
    """What the screen shows of a case at its end."""
    state = state_of(name)
    return PaneContext(state, answer_of(name), now=state.now)


def answered(name: str, width: int = WIDTH, height: int = HEIGHT) -> list[Line]:
    """The lines of the answer."""
    return answer_lines(context_of(name), 0, width, header.answer_room(height))


def rails(name: str, width: int = WIDTH, height: int = HEIGHT) -> list[Line]:
    """The lines of the ladder."""
    answer = context_of(name).answer
    assert answer is not None
    return ladder_lines.table(context_of(name), answer.findings[0].pid, width, header.ladder_room(height))


def text_of(lines: list[Line]) -> str:
    """What stands left, as one text."""
    return " ".join("".join(text for text, _ in line.left) for line in lines)


@pytest.mark.parametrize("name", together(ALL))
def test_every_headline_and_fix_fits_a_small_screen(name: str) -> None:
    answer = context_of(name).answer
    assert answer is not None
    first, lines = answer.findings[0], answered(name)
    assert len(lines) <= header.answer_room(HEIGHT)
    told = lines[: starts.index("run")] if "run" in (starts := [line.left[0][0].strip() for line in lines]) else lines
    for line in (*told, *rails(name)):  # a command may be longer: Y copies it whole
        width = sum(len(text) for text, _ in (*line.left, *line.right))
        assert width <= WIDTH, line
    said = " ".join(text_of(lines).split())
    root = next((link.text for link in first.chain if link.kind == "root"), first.title)
    for decisive in (root, first.next_step if first.severity != "info" else ""):
        assert " ".join(short_paths(decisive).split()) in said


@pytest.mark.parametrize("name", together(ALL))
def test_the_chain_leads_from_the_effect_to_the_root_and_then_to_the_fix_and_the_command(name: str) -> None:
    answer = context_of(name).answer
    assert answer is not None
    first, starts = answer.findings[0], [line.left[0][0].strip() for line in answered(name)]
    if not first.chain:
        return
    signs = [start for start in starts if start]
    assert signs[0] in ("✗", "!", "✓")
    rest = [sign for sign in signs[1:] if sign != "←"]
    assert "←" in signs and rest == ["fix", "run"][: 1 + bool(first.command)]
    assert signs[1 : signs.index("fix")] == ["←"] * (signs.index("fix") - 1)


@pytest.mark.parametrize("name", together(HEALTHY))
def test_healthy_is_quiet(name: str) -> None:
    tones = [tone for line in (*answered(name), *rails(name)) for _, tone in (*line.left, *line.right)]
    assert "no" not in tones


def test_a_program_that_has_nothing_to_do_with_a_gpu_gets_grey_words_and_no_ladder() -> None:
    lines = answered("no-gpu-program")
    assert rails("no-gpu-program") == []
    assert {tone for line in lines for text, tone in line.left if text.strip()} == {"quiet"}


def test_rails_that_went_alike_are_one_line_and_the_process_that_asked_comes_first() -> None:
    heads, first, rest = rails("the-question")
    assert ("REACH", "no") in [(text.strip(), tone) for text, tone in heads.left]
    assert "28465 ○" in text_of([first]) and [text.strip() for text, tone in first.left if tone == "no"] == ["✗"]
    assert "5 more rails" in text_of([rest]), "one break is marked on one rail"
    assert " ×2 " in text_of(rails("replaced-library")[1:2])


def test_paths_are_shortened_to_their_last_two_names_unless_that_makes_two_of_them_one() -> None:
    assert (
        short_paths("open(/usr/lib/x/liba.so) = 2, /proc/12/root/etc/x") == "open(…/x/liba.so) = 2, /proc/12/root/etc/x"
    )
    two = "stat /opt/ripo/a/b /srv/ripo/a/b"
    assert short_paths(two) == two
    assert (
        short_paths("LD_PRELOAD=/a/b/c.so:/d/e/f.so https://x/a/b/c") == "LD_PRELOAD=…/b/c.so:…/e/f.so https://x/a/b/c"
    )


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_the_top_line_leaves_out_what_has_no_room_instead_of_cutting_it(width: int) -> None:
    context = context_of("the-question")
    line = header.top(context, header.Status("recorded"), False, "", width)
    words = "".join(text for text, _ in (*line.left, *line.right))
    assert len(words) <= width and "recorded" in words and "✗ CPU (proven)" in words
    assert ("2 processes, 1 ended" in words) == (width >= 80) and ("MiB" in words) == (width >= 100)


@pytest.mark.parametrize("name", together(WRONG))
def test_one_break_is_marked_and_the_ladder_names_what_the_answer_names(name: str) -> None:
    answer = context_of(name).answer
    assert answer is not None
    broken = [group for group in ladder_lines.folded(ladder_lines.shown_rails(answer), None) if group[0].first_broken]
    assert len(broken) <= 1
    first = answer.findings[0]
    root = next((link.text for link in first.chain if link.kind == "root"), first.title)
    for rail in broken[0] if broken else ():
        detail = next(rung.detail for rung in rail.rungs if rung.rung == rail.first_broken)
        said = set(NAMED.findall(detail)) & set(NAMED.findall(f"{root} {first.title}"))
        assert said or detail == first.title, detail


def test_on_a_large_screen_every_reason_of_the_first_rail_is_told_to_its_end() -> None:
    lines = ladder_lines.in_column(context_of("absolute-path"), None, 80, 24)
    assert "unloaded (dlclose)" in " ".join(text_of(lines).split()) and not any(
        "…" in text_of([line])[-2:] for line in lines
    )
    assert "×2 in 9999 +1" in text_of(ladder_lines.in_column(context_of("replaced-library"), 29142, 80, 24)[:1])


def test_a_call_that_did_not_return_is_told_once() -> None:
    assert text_of(answered("child-crashed")).count("cuDeviceTotalMem_v2") == 1
    assert text_of(answered("discovery-timeout")).count("cuInit") == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("too-late", "before we attached, perhaps in a child"),
        ("lost-in-wrapper", "decided in rive"),
        ("crash-blamed-on-neighbour", "in kori"),
        ("client-only", ""),
    ],
)
def test_the_effect_says_where_it_was_decided(name: str, words: str) -> None:
    place = answered(name)[0].left[2][0].strip()
    assert place.startswith(words) if words else not place


def test_that_the_cause_is_only_likely_is_not_taken_for_the_mode() -> None:
    for name in ("no-backend", "other-library-first"):
        assert "cause likely" in "".join(text for text, _ in answered(name)[0].right)


@pytest.mark.parametrize(
    ("name", "api", "outer"),
    [("child-crashed", "cuda-driver", "cuda-runtime"), ("call-blocked", "cuda-driver", "cuda-runtime")],
)
def test_a_call_that_waits_for_the_one_that_broke_has_not_returned_in_its_own_ladder(
    name: str, api: str, outer: str
) -> None:
    answer = context_of(name).answer
    assert answer is not None
    rails = {rail.api: rail for rail in answer.ladders if rail.pid == answer.findings[0].pid}
    assert rails[api].first_broken == "returned"
    returned = next(rung for rung in rails[outer].rungs if rung.rung == "returned")
    assert (returned.state, returned.reached) == ("unknown", False)


def test_words_below_the_answer_end_with_a_whole_sentence() -> None:
    lines = [text_of([line]).rstrip() for line in answer_lines(context_of("success-without-work"), 0, 80, 8)]
    fix = next(place for place, line in enumerate(lines) if line.startswith(" fix"))
    assert lines[fix - 1].endswith(".")
