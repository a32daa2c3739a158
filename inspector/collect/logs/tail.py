"""Following one path: all its lines, each once and in order, through rotation, truncation, deletion and return.

Why nothing is lost when a log is renamed and made anew: while the new file is empty its writer has not moved, so the
old one is read on. Once the new one holds bytes, whatever that writer put into the old one is there: the old one is
read to its end once more, then the new one begins. Files that came and went between two looks are found by their names.
"""

import os
from collections import deque
from collections.abc import Generator, Iterator
from typing import Literal

import msgspec

from inspector.collect.access.opening import OpenPath, open_log

from .file_checks import SAMPLE, Identity, identity, looks_binary, refusal
from .generation import LINE_LIMIT, Generation
from .rotated_files import Listing, RotatedFiles

SLICE = 4 << 20
"""Bytes read in one step: some milliseconds of work."""
_KEPT = 32
"""Generations whose lines can still be paged; older ones are dropped."""

What = Literal["rotated", "truncated", "deleted", "unreadable", "nul-bytes", "binary", "long-line", "back"]


class Lines(msgspec.Struct, frozen=True):
    """Whole lines as they were written."""

    first: int
    """Number of the first one."""
    count: int
    data: bytes
    """All with their newlines; the last one of a generation may lack it."""


class Change(msgspec.Struct, frozen=True):
    """Something happened to the file, or a defect was found in it."""

    what: What
    detail: str


class FileTail:
    """The lines of one log; one thread at a time may use it."""

    def __init__(self, fd: int, path: OpenPath | None, *, named: bool = False) -> None:
        """`path` is where a new file would appear, None when only this descriptor is to be followed; owns `fd`.

        One that nobody `named` as a log is dropped when it turns out to be something else.
        """
        self.path = path
        self._head: bytes | None = None if named else b""
        """The first bytes, until they are enough to tell."""
        self.binary = False
        self.generations = [Generation(fd, 0)]
        self.bytes_total = 0
        self.more = False
        """True when the next step has work at once."""
        self.held = b""
        """Beginning of the unterminated last line."""
        self._held_length = 0
        self._upcoming: deque[Generation] = deque()
        self._rotated_files = RotatedFiles(path)
        self._moving = False
        self._read_before_cut: int | None = None
        """Where we were in what was cut, until it is known where its writer was."""
        self._missing: What | None = None
        self._nul_bytes = 0
        self._nul_said = 0
        self._long_said = False

    @property
    def current(self) -> Generation:
        """The inode that is being read."""
        return self.generations[-1]

    @property
    def lines_total(self) -> int:
        """Complete lines so far."""
        return self.current.end

    @property
    def held_length(self) -> int:
        """Bytes of the unterminated last line."""
        return self._held_length

    def has(self, who: Identity) -> bool:
        """Is this file a part of the log, now or before a rotation?"""
        return any(generation.identity == who for generation in (*self.generations, *self._upcoming))

    def move(self, path: OpenPath | None) -> None:
        """The same place is reached by another path now, or by none any more."""
        self.path = path
        self._rotated_files = RotatedFiles(path)

    def step(self, limit: int = SLICE) -> list[Lines | Change]:
        """Read on; without new bytes, see what became of the path."""
        found: list[Lines | Change] = []
        if self.binary:
            return found
        pending = self.current.pending()
        if pending < 0:
            found += self._start_over()
        if self._read_before_cut is not None and pending:
            found += self._count_lost(self._read_before_cut)
        decided = self._read_before_cut is None  # else its writer may go on at any moment, behind a hole
        data = self.current.advance(limit) if pending and decided else b""
        self.more = len(data) == limit
        if data:
            self.bytes_total += len(data)
            if self._turns_out_binary(data):
                return [Change("binary", "binary data from its first bytes on: not a log, and not followed")]
            found += self._defects(data)
            found += self._whole_lines(data)
        elif self._moving:
            found += self._move_on()
        else:
            found += self._look_around()
        return found

    def page(self, first: int, count: int) -> list[tuple[int, bytes]]:
        """Numbered lines from `first` on, as far as their files can still be read."""
        rows: list[tuple[int, bytes]] = []
        for generation in self.generations:
            begin, end = max(first, generation.first), min(first + count, generation.end)
            if begin < end:
                page = generation.page(begin - generation.first, end - begin)
                rows += zip(range(begin, end), page, strict=False)
        return rows

    def length_of(self, number: int) -> int:
        """Bytes of a line with its newline, 0 when its file is gone."""
        for generation in self.generations:
            if generation.readable and generation.first <= number < generation.end:
                return generation.length_of(number - generation.first)
        return 0

    def pieces(self, first: int) -> Iterator[tuple[range, bytes]]:
        """Lines from number `first` on in pieces: the numbers of those that are complete, and their bytes.

        A line that is longer than a page comes in several pieces, all of which have its number.
        """
        for generation in list(self.generations):
            line = max(first, generation.first)
            if line >= generation.end or not generation.readable:
                continue
            for data in generation.pieces(generation.offset_of(line - generation.first), generation.index.size):
                newlines = data.count(b"\n")
                yield range(line, min(line + newlines + 1, generation.end)), data
                line += newlines

    def close(self) -> None:
        """Give all descriptors back."""
        for generation in (*self.generations, *self._upcoming):
            generation.close()

    def _whole_lines(self, data: bytes) -> Iterator[Lines]:
        """Complete lines of what is held and of new bytes; the rest is held until its newline comes."""
        cut = data.rfind(b"\n") + 1
        if not cut:
            self._hold(data)
            return
        whole = self.held + data[:cut]
        self.held, self._held_length = b"", 0
        self._hold(data[cut:])
        count = data.count(b"\n")
        yield Lines(self.current.end - count, count, whole)

    def _hold(self, data: bytes) -> None:
        self.held += data[: max(0, LINE_LIMIT - len(self.held))]
        self._held_length += len(data)

    def _turns_out_binary(self, data: bytes) -> bool:
        """A file that was too short when it was found: the output of a converter, a database."""
        if self._head is None:
            return False
        self._head = (self._head + data)[:SAMPLE]
        self.binary = looks_binary(self._head)
        if len(self._head) == SAMPLE:
            self._head = None
        if self.binary:
            self.held, self._held_length = b"", 0
        return self.binary

    def _defects(self, data: bytes) -> Iterator[Change]:
        if b"\0" in data:
            self._nul_bytes += data.count(0)
            if self._nul_bytes >= 2 * self._nul_said:
                self._nul_said = self._nul_bytes
                yield Change(
                    "nul-bytes", f"holds {self._nul_bytes} NUL bytes: plain grep would print nothing (grep -a)"
                )
        if not self._long_said and self._has_long_line(data):
            self._long_said = True
            yield Change("long-line", f"holds a line of more than {LINE_LIMIT} bytes: only its beginning is shown")

    def _has_long_line(self, data: bytes) -> bool:
        if self._held_length + len(data) > LINE_LIMIT and data.find(b"\n", 0, LINE_LIMIT) < 0:
            return True
        windows = range(0, len(data) - LINE_LIMIT, LINE_LIMIT)
        return any(data.find(b"\n", at, at + LINE_LIMIT) < 0 for at in windows)

    def _start_over(self) -> Iterator[Lines | Change]:
        """The same inode was cut or rewritten: what we have read is gone from it, and perhaps more."""
        old, size = self.current, os.fstat(self.current.fd).st_size
        again, read = os.dup(old.fd), old.position
        copied = yield from self._read_on_in_copy(old)
        yield from self._finish()
        self._append(Generation(again, old.end))
        self._read_before_cut = old.position
        there = old.seen - old.position
        lost = f"at least {there} bytes that were written" if there > 0 else "what was written"
        if copied < 0:
            old.close()
            detail = f"cut while {read} bytes had been read, {size} now: {lost} behind them {_be(there)} lost, unread"
        else:
            detail = f"cut behind its copy, {copied} bytes read from there: {lost} in between {_be(there)} lost"
        yield Change("truncated", detail)

    def _count_lost(self, read: int) -> Iterator[Change]:
        """After a cut, with the first new bytes: a writer that goes on at its old place tells how much is lost."""
        if not os.fstat(self.current.fd).st_size:
            return
        self._read_before_cut = None
        written = self.current.skip_hole()
        if written:
            lost = max(0, written - read)
            yield Change("truncated", f"its writer goes on at byte {written}: exactly {lost} bytes were cut unread")

    def _read_on_in_copy(self, cut: Generation) -> Generator[Lines, None, int]:
        """Read what was copied and not read yet (copytruncate of logrotate(8)); how many bytes, -1 without a copy.

        The copy holds what was cut as well: its lines can be paged as before.
        """
        found = False
        for fd in self._rotated_files.written_since(cut.read_at):
            if not found and cut.goes_on_in(fd):
                os.dup2(fd, cut.fd)
                found = True
            os.close(fd)
        begun = cut.position
        while found and (data := cut.advance(SLICE)):
            self.bytes_total += len(data)
            yield from self._whole_lines(data)
        return cut.position - begun if found else -1

    def _finish(self) -> Iterator[Lines]:
        """End the current generation; an unterminated last line is sent as it is."""
        open_end = self._held_length > 0
        self.current.finish(open_end)
        if open_end:
            yield Lines(self.current.end - 1, 1, self.held)
        self.held, self._held_length = b"", 0

    def _append(self, generation: Generation) -> None:
        self.generations.append(generation)
        while len(self.generations) > _KEPT:
            self.generations.pop(0).close()

    def _look_around(self) -> Iterator[Lines | Change]:
        """At the end of what is there: has the path got another file, or has an older one grown?"""
        if self.path is not None:
            listing = self._rotated_files.look()
            try:
                yield from self._compare(os.stat(self.path), listing)
            except OSError as error:
                yield from self._miss(error)
        if any(generation.pending() > 0 for generation in self._upcoming):
            self._moving = self.more = True
        elif not self._held_length:
            yield from self._read_latecomers()

    def _compare(self, status: os.stat_result, listing: Listing | None) -> Iterator[Change]:
        newest = self._upcoming[-1] if self._upcoming else self.current
        if identity(status) == newest.identity:
            if listing is not None:
                self._rotated_files.settle(listing)
            if self._missing is not None:
                yield Change("back", "the same file is back")
        else:
            yield from self._adopt()
        self._missing = None

    def _adopt(self) -> Iterator[Change]:
        """Another file has the name: read those that had it in between, then this one."""
        assert self.path is not None
        known = {generation.identity for generation in (*self.generations, *self._upcoming)}
        newest = Generation(open_log(self.path), 0)
        if newest.identity in known:
            newest.close()
            return
        missed = [Generation(fd, 0) for fd in self._rotated_files.newcomers(known | {newest.identity})]
        self._upcoming += sorted((*missed, newest), key=lambda one: os.fstat(one.fd).st_mtime_ns)
        if self._missing is not None:
            yield Change("back", "a new file took the name")
        else:
            between = f", {len(missed)} more had it in between" if missed else ""
            yield Change("rotated", f"a new file took the name{between}")

    def _miss(self, error: OSError) -> Iterator[Change]:
        what: What = "deleted" if isinstance(error, FileNotFoundError) else "unreadable"
        if what != self._missing:
            self._missing = what
            assert self.path is not None
            detail = "the name is gone; the open file is still read"
            yield Change(what, detail if what == "deleted" else refusal(self.path, error))

    def _move_on(self) -> Iterator[Lines]:
        """The current file was read to its end after the next one had begun."""
        yield from self._finish()
        following = self._upcoming.popleft()
        following.first = self.current.end
        self._append(following)
        self._moving = any(generation.pending() > 0 for generation in self._upcoming)
        self.more = True

    def _read_latecomers(self) -> Iterator[Lines]:
        """A writer that has not noticed the rotation still writes to an older file: its lines come in between."""
        for old in self._older():
            if old.pending() <= 0:
                continue
            current = self.current
            current.finish(False)
            self._append(Generation(os.dup(old.fd), current.end, old.position))
            while data := self.current.advance(SLICE):
                self.bytes_total += len(data)
                yield from self._whole_lines(data)
            yield from self._finish()
            self._append(Generation(os.dup(current.fd), self.current.end, current.position))
            return

    def _older(self) -> list[Generation]:
        """The last piece read of each older inode that is still open."""
        last: dict[Identity, Generation] = {}
        for generation in self.generations:
            if generation.readable:
                last[generation.identity] = generation
        last.pop(self.current.identity, None)
        return list(last.values())


def _be(count: int) -> str:
    return "are" if count > 0 else "is"
