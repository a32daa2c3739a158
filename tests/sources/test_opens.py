"""Which opened files are told: all that could decide, however many others there are."""

import errno

from inspector.collect.kernel.records import Opened
from inspector.collect.sources.lookups.opens import OpensSource
from inspector.collect.sources.processes.feed import Feed
from inspector.collect.sources.processes.polling import PollingRecords
from inspector.stream.calls import FileOpened, OpensSkipped
from inspector.stream.session import OPENS_UNTOLD, LimitNoted

from .fakes import Bench

_PID = 7


def _opens(bench: Bench, paths: list[tuple[bytes, int]]) -> None:
    feed = Feed(PollingRecords(lambda: 0), tells_ends=False)
    source = OpensSource(bench.session, feed)
    for path, error in paths:
        feed.tell(Opened(1, _PID, _PID, path, error, 0, -1, False))
    source.close()


def test_a_crowd_of_libraries_that_are_not_there_leaves_room_for_what_decides_and_is_said() -> None:
    bench = Bench()
    crowd = [(b"/nowhere/lib%d.so" % number, 0) for number in range(4000)]
    decisive = [(b"/dev/nvidia0", errno.EACCES), (b"/dev/nvidiactl", errno.ENOENT), (b"/srv/model.bin", errno.EACCES)]
    _opens(bench, [*crowd, *decisive])
    told = {event.path for event in bench.sink.of(FileOpened)}
    assert {path.decode() for path, _ in decisive} < told
    assert [limit.pid for limit in bench.sink.of(LimitNoted) if limit.what == OPENS_UNTOLD] == [_PID]
    assert bench.sink.of(OpensSkipped)[-1].count == 1000


def test_files_that_decide_are_bounded_too() -> None:
    bench = Bench()
    _opens(bench, [(b"/srv/%d" % number, errno.EACCES) for number in range(4000)])
    assert 2900 < len(bench.sink.of(FileOpened)) <= 3000
    assert len(bench.sink.of(LimitNoted)) == 1
