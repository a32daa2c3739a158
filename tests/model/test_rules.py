"""The list of rules, and what holds for all of them."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.model.causes.registry import rules as all_rules
from inspector.model.diagnosis import diagnose, explain, ids
from inspector.model.fold import apply_all

from .asking import BACKEND, CPU, SHIM, healthy, working
from .build import Story

CONTRACT = [
    "setting-not-in-force", "other-service-answers", "client-only", "work-done-by-children", "environment-lost",
    "loader-ignores-environment", "static-binary", "preload-entry-unusable", "global-preload",
    "visible-devices-hidden", "other-library-first", "name-mismatch", "two-copies", "link-chain-bypass",
    "stale-artefact", "hidden-by-namespace", "symbol-missing", "symbol-hidden", "version-node-missing",
    "no-version-table", "overrides-libc", "no-consumer", "backend-load-failed", "dependency-missing",
    "backend-disabled", "lookup-failed", "dlopen-overridden", "bound-elsewhere", "not-called",
    "called-only-by-itself", "api-error", "driver-too-old", "export-table-refused", "no-device-counted",
    "zero-memory", "implausible-device", "child-crashed", "call-blocked", "discovery-timeout", "output-discarded",
    "log-not-writable", "log-unreadable", "log-of-earlier-run", "device-dropped", "not-offloaded",
    "success-without-work", "gpu-in-use",
]  # fmt: skip


def test_every_rule_of_the_contract_is_there_and_explained() -> None:
    assert set(CONTRACT) <= set(ids())
    assert all(explain(rule) for rule in ids())
    assert explain("no-such-rule") is None


def test_rule_ids_are_kebab_case_and_stand_once() -> None:
    assert len(set(ids())) == len(ids())
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", rule) for rule in ids())


def test_every_meaning_is_whole_sentences() -> None:
    for rule in all_rules():
        for text in (rule.meaning, rule.proof, rule.cure):
            assert text.endswith((".", "!")) and not text[0].islower(), rule.id


def _server() -> Story:
    story = Story()
    story.process(812, environment={"LD_PRELOAD": SHIM})
    story.driver(812, SHIM, "preload")
    story.call(812, "cuInit", by=SHIM, library=SHIM)
    for pid, result in ((850, 100), (851, 0)):
        story.process(pid, ("/opt/app/server", "runner"), parent=812, environment={})
        story.driver(pid, watch=False)
        story.consumer(pid, BACKEND)
        story.look_up(pid, "dlopen", f"/x/other{pid}.so", False, error="x: undefined symbol: cuFoo, version N")
        story.call(pid, "cuInit", result, by=BACKEND, library=SHIM)
        story.end(pid, signal=11 if result else 9)
    story.log(CPU)
    return story


def test_the_same_fault_in_several_processes_is_told_once_with_all_of_them() -> None:
    story = Story()
    story.process(812)
    for pid in (850, 851, 852):
        story.process(pid, ("/opt/app/server", "runner"), parent=812)
        story.driver(pid, watch=pid == 850)
        story.consumer(pid, BACKEND)
        story.call(pid, "cuInit", 100, by=BACKEND)
        story.end(pid)
    (finding,) = [one for one in diagnose(story.state).findings if one.rule == "api-error"]
    assert finding.pid == 850 and "The same in PID 851, 852." in finding.cause


def test_the_same_state_gives_the_same_answer_twice() -> None:
    story = _server()
    assert diagnose(story.state) == diagnose(story.state)


def test_no_finding_is_confident_in_a_fault_of_a_healthy_program() -> None:
    for finding in diagnose(healthy().state).findings:
        assert finding.rule == "gpu-in-use"


_STORIES = [_server().events, healthy().events]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(_STORIES), st.data())
def test_lost_and_disordered_events_never_make_the_diagnosis_raise(events: list, data: st.DataObject) -> None:  # type: ignore[type-arg]
    kept = [event for event in events if data.draw(st.integers(0, 5))]
    for _ in range(data.draw(st.integers(0, 6))):
        if len(kept) > 1:
            place = data.draw(st.integers(0, len(kept) - 2))
            kept[place], kept[place + 1] = kept[place + 1], kept[place]
    for finding in diagnose(apply_all(kept)).findings:
        assert finding.title and finding.evidence


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_healthy_program_of_which_a_part_was_not_seen_is_never_proven_to_be_on_the_cpu(data: st.DataObject) -> None:
    kept = [event for event in healthy().events if data.draw(st.integers(0, 3))]
    answer = diagnose(apply_all(kept))
    assert (answer.mode.verdict, answer.mode.confidence) != ("cpu", "proven")
    assert not [f for f in answer.findings if f.severity == "error" and f.confidence == "proven"]


def test_an_answer_over_many_processes_comes_from_memory_when_nothing_changed() -> None:
    story = Story()
    story.process(812)
    for pid in range(1000, 1030):
        story.process(pid, ("/opt/app/server", "runner"), parent=812)
        story.driver(pid, watch=pid == 1000)
        story.consumer(pid, BACKEND)
        working(story, pid)
    diagnose(story.state)
    before = [process.memo["uses"] for process in story.state.processes]
    diagnose(story.state)
    assert all(one is other for one, other in zip(before, [p.memo["uses"] for p in story.state.processes], strict=True))
