"""What a user may do, as the kernel answers: root, nobody, and nobody with a few capabilities."""

import os
import pickle
from collections.abc import Callable

import pytest

from inspector.collect.kernel.permissions import capabilities
from inspector.stream.session import Capability

_NOBODY = 65534


def as_nobody(tell: Callable[[], list[Capability]]) -> list[Capability]:
    """The answer of a child that gave up root."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
        os.write(writer, pickle.dumps([(row.name, row.state, row.how, row.why, row.lost, row.grant) for row in tell()]))
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:
        rows = pickle.loads(answer.read())
    os.waitpid(child, 0)
    return [Capability(name=n, state=s, how=h, why=w, lost=lost, grant=g) for n, s, h, w, lost, g in rows]


def test_each_thing_that_is_lacking_says_why_what_is_lost_and_what_grants_it() -> None:
    for row in capabilities():
        assert row.how
        assert row.state == "yes" or (row.why and row.lost and row.grant)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become nobody")
def test_nobody_may_count_a_little_and_is_told_how_to_get_more() -> None:
    rows = {row.name: row for row in as_nobody(capabilities)}
    assert rows["count-calls"].state == "partly"
    assert rows["results"].state == rows["lookups"].state == rows["open-files"].state == "no"
    assert rows["environment"].state == "partly"
    assert f"uid {_NOBODY}" in rows["results"].why
    assert rows["results"].grant == "sudo inspector ..."


@pytest.mark.live
def test_root_may_do_everything_where_the_kernel_can() -> None:
    rows = {row.name: row for row in capabilities()}
    if rows["count-calls"].state != "yes":
        pytest.skip(f"not on this machine: {rows['count-calls'].why}")
    assert {row.state for row in rows.values()} == {"yes"}
