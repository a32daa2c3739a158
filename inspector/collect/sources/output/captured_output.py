"""Output that nobody can read a second time, as far as the kernel saw it written: the first bytes of each process."""

import msgspec

from inspector.stream.logs import LogLine, LogRead
from inspector.stream.requests import FindLine, ReadLog
from inspector.stream.secrets import hide_lines
from inspector.stream.text import decode_line

from ...logs.search import among, found_among
from ..contract import Session
from .followed_log import send_line, send_page


def first_lines(sample: bytes) -> list[str]:
    """The lines of some first bytes; the last one may be cut."""
    raw = sample.removesuffix(b"\n").split(b"\n") if sample else []
    return hide_lines([decode_line(line) for line in raw])[0]


class _Beginning(msgspec.Struct):
    """Lines of one process and descriptor."""

    numbers: list[int] = msgspec.field(default_factory=list)
    texts: list[str] = msgspec.field(default_factory=list)


class CapturedOutputFeed:
    """The first lines that several processes wrote to one pipe or terminal, each with its writer; a log's feed."""

    bytes_total = 0

    def __init__(self, session: Session, source: int) -> None:
        self._session, self._source = session, source
        self._lines: list[LogLine] = []
        self._beginnings: dict[tuple[int, int], _Beginning] = {}

    @property
    def lines_total(self) -> int:
        """Lines that are known."""
        return len(self._lines)

    def add(self, pid: int, fd: int, sample: bytes) -> None:
        """Take in what is known of one process; a line that was being written is told again."""
        known = self._beginnings.setdefault((pid, fd), _Beginning())
        news = []
        for place, text in enumerate(first_lines(sample)):
            if place == len(known.texts):
                known.numbers.append(len(self._lines))
                known.texts.append("")
                self._lines.append(LogLine(number=len(self._lines), text=""))
            if known.texts[place] != text or not text:
                known.texts[place] = text
                line = LogLine(number=known.numbers[place], text=text, pid=pid)
                self._lines[line.number] = line
                news.append(line)
        if news:
            at = self._session.loop.now()
            self._session.sink.send(
                LogRead(at=at, source=self._source, lines=news, lines_total=self.lines_total, bytes_total=0)
            )

    def ask(self, request: ReadLog | FindLine) -> None:
        """Answer at once: the lines are in memory."""
        if isinstance(request, FindLine):
            send_line(self._session, self._source, request, found_among(self._lines, request))
        else:
            send_page(self._session, self._source, request, among(self._lines, request))

    def stop(self, request: int) -> None:
        """Does nothing: requests are answered at once."""

    def wake(self) -> None:
        """Does nothing: lines come by `add`."""

    def close(self) -> None:
        """Does nothing: all lines were sent."""
