"""Tests of one group run on one worker: this depends on how pytest and pytest-xdist go together."""

import pytest


@pytest.mark.xdist_group("told")
def test_a_group_is_known_to_who_shares_out_the_tests(request: pytest.FixtureRequest) -> None:
    shared_out = hasattr(request.config, "workerinput")
    assert request.node.nodeid.endswith("@told") == shared_out
