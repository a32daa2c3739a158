"""Who asked, in words: where a stack belongs to a refusal, and what is said of it."""

from inspector.model.diagnosis import diagnose
from inspector.model.stacks import asked_from, callers, lines
from inspector.stream.calls import CallReturned
from inspector.stream.processes import SignalDelivered
from inspector.stream.redact import Redactor
from inspector.stream.stacks import CodeFrame, Occasion, SourceFrame, StackTaken
from tests.model.asking import BACKEND, answer
from tests.model.build import Story

TRAIN = [
    SourceFrame(file="/usr/lib/python3.12/site-packages/torch/cuda/__init__.py", line=319, function="_lazy_init"),
    SourceFrame(file="/home/alice/train.py", line=14, function="main"),
    SourceFrame(file="/home/alice/train.py", line=31, function="<module>"),
]
NATIVE = [
    CodeFrame(path="/lib/libffi.so.8", symbol="ffi_call", offset=205),
    CodeFrame(path="/opt/libback.so", offset=16),
]


def taken(occasion: Occasion = "refused", **facts: object) -> StackTaken:
    return StackTaken(at=5, pid=812, tid=812, occasion=occasion, moment=4, **facts)  # type: ignore[arg-type]


def refused_story() -> tuple[Story, CallReturned]:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", 100, by=BACKEND)
    return story, story.state.current[812].calls[-1]


def test_the_innermost_place_in_the_users_own_code_is_named() -> None:
    assert asked_from(taken(source=TRAIN, native=NATIVE)) == "train.py:14 in main"
    assert callers(taken(source=TRAIN)) == "train.py:14 in main <- train.py:31 in <module>"


def test_code_of_packages_is_named_where_there_is_nothing_else() -> None:
    assert asked_from(taken(source=TRAIN[:1])) == "__init__.py:319 in _lazy_init"


def test_compiled_code_is_named_by_symbol_or_place_and_carriers_are_passed_over() -> None:
    assert asked_from(taken(native=NATIVE)) == "libback.so+0x10"
    assert asked_from(taken(native=[])) == ""
    assert callers(taken(native=NATIVE)) == "ffi_call+0xcd in libffi.so.8 <- libback.so+0x10"


def test_every_frame_is_told_and_where_it_is_known_no_further() -> None:
    stack = taken(source=TRAIN[1:2], source_end="there are more", native=NATIVE[:1], native_end="the copy ends")
    assert lines(stack) == [
        "/home/alice/train.py:14 in main",
        "Python: there are more",
        "ffi_call+0xcd in /lib/libffi.so.8",
        "no further: the copy ends",
    ]


def test_a_line_that_is_not_known_is_left_out() -> None:
    assert asked_from(taken(source=[SourceFrame(file="/a/x.py", function="f")])) == "x.py in f"


def test_the_answer_says_who_called_and_proves_it() -> None:
    story, call = refused_story()
    story.tell(
        StackTaken(
            at=call.at, pid=812, tid=812, occasion="entered", moment=call.entered, function=call.function, source=TRAIN
        )
    )
    finding = answer(story)
    assert finding.cause.endswith("Called from train.py:14 in main.")
    assert [link.asked_from for link in finding.chain if link.kind == "call"] == ["train.py:14 in main"]
    row = next(row for row in finding.evidence if row.stack)
    assert row.text == "cuInit: called from train.py:14 in main <- train.py:31 in <module>"
    assert row.stack[1] == "/home/alice/train.py:14 in main"


def test_the_stack_of_another_call_of_the_same_function_is_not_taken_for_this_one() -> None:
    story, call = refused_story()
    for moment, tid in ((call.entered - 1, 812), (call.entered, 813)):
        story.tell(
            StackTaken(
                at=call.at, pid=812, tid=tid, occasion="refused", moment=moment, function=call.function, source=TRAIN
            )
        )
    finding = answer(story)
    assert "train.py" not in finding.cause
    assert not any(row.stack for row in finding.evidence)


def test_a_name_that_was_looked_up_in_vain_is_told_by_who_asked() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    story.look_up(812, "dlsym", "cuInit", False, by=BACKEND)
    lookup = story.state.current[812].lookups[-1]
    story.tell(
        StackTaken(at=lookup.at, pid=812, tid=lookup.tid, occasion="lookup", moment=lookup.entered, source=TRAIN)
    )
    finding = answer(story)
    assert finding.cause.endswith("Asked from train.py:14 in main.")
    assert any(row.stack for row in finding.evidence)


def test_a_crash_is_told_by_who_came_there() -> None:
    story = Story()
    story.process(812)
    story.driver(812)
    story.consumer(812, BACKEND)
    at = story.later()
    story.tell(SignalDelivered(at=at, pid=812, tid=812, signal=11, fatal=True, library="/opt/shim/libcuda.so.1", ip=1))
    story.tell(StackTaken(at=at, pid=812, tid=812, occasion="signal", moment=at, source=TRAIN, native=NATIVE))
    story.end(812, code=None, signal=11)
    told = [finding.cause for finding in diagnose(story.state).findings]
    assert any(cause.endswith("Reached from train.py:14 in main.") for cause in told)


def test_home_folders_are_hidden_where_names_are_to_be_hidden() -> None:
    redactor = Redactor()
    shown = redactor.event(taken(source=TRAIN))
    assert isinstance(shown, StackTaken)
    assert "alice" not in shown.source[1].file
