"""How a process does is told when it changes, not each time that the clock falls one step to this or that side."""

from inspector.collect.sources.processes.vitals import Sample, is_news

_AT_REST = Sample(cpu=0.0, rss=1 << 20, threads=1, state="S")
_NOW_AND_THEN = Sample(cpu=1.0, rss=1 << 20, threads=1, state="S")
_BUSY = Sample(cpu=97.0, rss=1 << 20, threads=1, state="S")


def test_a_process_that_runs_for_a_moment_each_second_is_told_of_once() -> None:
    assert is_news(_NOW_AND_THEN, None, rested=False)
    assert not is_news(_AT_REST, _NOW_AND_THEN, rested=False)
    assert not is_news(_NOW_AND_THEN, _AT_REST, rested=True)


def test_a_process_that_has_come_to_rest_is_told_as_resting() -> None:
    assert is_news(_AT_REST, _NOW_AND_THEN, rested=True)
    assert not is_news(_AT_REST, _AT_REST, rested=True)


def test_what_changes_for_good_is_told_at_once() -> None:
    assert is_news(_BUSY, _NOW_AND_THEN, rested=False)
    assert is_news(_NOW_AND_THEN, _BUSY, rested=False)
    assert is_news(Sample(cpu=0.0, rss=2 << 20, threads=1, state="S"), _AT_REST, rested=True)
    assert is_news(Sample(cpu=0.0, rss=1 << 20, threads=1, state="T"), _AT_REST, rested=True)
