"""The journal as journalctl tells it; journalctl here is a script that the test writes."""

import json
import select
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.collect.logs.journal import FIRST_LINES, Journal, JournalRefusedError, parse_entry
from inspector.stream.logs import LogLine
from inspector.stream.requests import ReadLog
from inspector.stream.text import visible


def _journalctl(tmp_path: Path, body: str) -> str:
    path = tmp_path / "journalctl"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def _entry(message: object, pid: object = "812", wall: str = "1767323045678000") -> str:
    return json.dumps({"MESSAGE": message, "_PID": pid, "__REALTIME_TIMESTAMP": wall, "__CURSOR": "s=1"})


def _read(journal: Journal) -> list[LogLine]:
    """Everything up to the end of journalctl."""
    lines: list[LogLine] = []
    while True:
        select.select([journal.fd], [], [], 10)
        more = journal.read()
        if more is None:
            return lines
        lines += more


def test_lines_carry_wall_time_and_pid_and_are_numbered(tmp_path: Path) -> None:
    text = "\n".join([_entry("discovering available GPUs..."), _entry("two\nlines"), _entry([255, 65])])
    (tmp_path / "entries").write_text(text + "\n")
    journal = Journal("ollama.service", _journalctl(tmp_path, f"cat {tmp_path}/entries"), (str(tmp_path),))
    lines = _read(journal)
    assert [line.text for line in lines] == ["discovering available GPUs...", "two", "lines", "\\xffA"]
    assert [line.number for line in lines] == [0, 1, 2, 3]
    assert (lines[0].wall, lines[0].pid) == (1767323045678000000, 812)
    page = journal.page(ReadLog(source=1, filter="LINES"))
    assert (page.total, [line.number for line in page.lines]) == (1, [2])
    assert [line.number for line in journal.page(ReadLog(source=1, backwards=True, limit=2)).lines] == [2, 3]
    assert "ended with 0" in journal.end()


def test_journalctl_is_asked_for_one_unit_and_ended_with_us(tmp_path: Path) -> None:
    program = _journalctl(tmp_path, f'echo "$@" > {tmp_path}/asked; echo no JSON; exec sleep 600')
    journal = Journal("snap.ollama.listener.service", program, (str(tmp_path),))
    select.select([journal.fd], [], [], 10)
    assert [line.text for line in journal.read() or []] == ["no JSON"]
    assert journal.end() == "journalctl ended with -15"
    assert (tmp_path / "asked").read_text().startswith("-u snap.ollama.listener.service -f -n 2000 -o json")


def test_what_journalctl_says_at_its_end_is_kept(tmp_path: Path) -> None:
    program = _journalctl(tmp_path, "echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1")
    journal = Journal("x.service", program, (str(tmp_path),))
    assert _read(journal) == []
    assert journal.end() == "No journal files were opened due to insufficient permissions."


def test_a_machine_without_a_journal_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(JournalRefusedError, match="not installed"):
        Journal("x.service", str(tmp_path / "absent"), (str(tmp_path),))
    with pytest.raises(JournalRefusedError, match="keeps no journal"):
        Journal("x.service", "sh", (str(tmp_path / "absent"),))


@given(raw=st.binary(max_size=80).filter(lambda raw: b"\n" not in raw))
@settings(max_examples=100)
def test_any_bytes_become_harmless_lines(raw: bytes) -> None:
    wall, pid, texts = parse_entry(raw)
    assert wall >= 0
    assert pid >= 0
    assert [visible(text) for text in texts] == texts


@given(
    message=st.one_of(st.none(), st.text(max_size=20), st.lists(st.integers(0, 300), max_size=10)),
    pid=st.one_of(st.none(), st.text(max_size=5), st.lists(st.text(max_size=3), max_size=2)),
)
@settings(max_examples=100)
def test_entries_of_odd_shape_are_read_as_far_as_they_go(message: object, pid: object) -> None:
    wall, _, texts = parse_entry(_entry(message, pid).encode("utf-8", "surrogatepass"))
    assert wall == 1767323045678000000
    assert texts


def test_the_first_entries_of_the_start_come_before_the_newest_and_none_comes_twice(tmp_path: Path) -> None:
    entries = [
        json.dumps({"MESSAGE": f"line {n}", "__CURSOR": f"c{n}", "__REALTIME_TIMESTAMP": str(n)}) for n in range(9)
    ]
    (tmp_path / "first").write_text("\n".join(entries[:5]) + "\n")
    (tmp_path / "newest").write_text("\n".join(entries[3:]) + "\n")
    body = 'echo "$@" >> asked; case "$*" in *--since*) cat first;; *) cat newest;; esac'
    program = _journalctl(tmp_path, f"cd {tmp_path}; {body}")
    journal = Journal("ollama.service", program, (str(tmp_path),), since=1_700_000_000_500_000_000)
    assert [line.text for line in _read(journal)] == [f"line {n}" for n in range(9)]
    assert [line.number for line in journal.page(ReadLog(source=1)).lines] == list(range(9))
    first, newest = (tmp_path / "asked").read_text().splitlines()
    assert "--since=@1700000000 -o json" in first and "-f -n 2000" in newest
    journal.end()


def test_a_journal_of_a_busy_service_is_left_after_its_first_entries(tmp_path: Path) -> None:
    (tmp_path / "endless.awk").write_text(
        'BEGIN { for (n = 0; n < 1e9; n++) printf "{\\"MESSAGE\\":\\"m\\",\\"__CURSOR\\":\\"c%d\\"}\\n", n }'
    )
    program = _journalctl(
        tmp_path, f'case "$*" in *--since*) exec awk -f {tmp_path}/endless.awk;; *) echo no JSON;; esac'
    )
    journal = Journal("ollama.service", program, (str(tmp_path),), since=1)
    lines = _read(journal)
    assert lines[-1].text == "no JSON" and FIRST_LINES < len(lines) < 50_000
    journal.end()
