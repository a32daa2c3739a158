"""The doctor as a script to read."""

from inspector.report.doctor import as_text, grants
from inspector.stream.session import Capability

from .sample import state


def test_what_is_missing_is_granted_by_commands_each_printed_once() -> None:
    session = state().session
    assert session is not None
    session.capabilities[:] = [
        Capability(name="count-calls", state="no", how="", grant="sudo inspector TARGET"),
        Capability(name="lookups", state="partly", how="", grant="sudo inspector TARGET"),
        Capability(name="open-files", state="yes", how="", grant="never needed"),
        Capability(name="results", state="no", how="", grant="evil\x1b[2J\nrm -rf /"),
    ]
    lines = grants(session).splitlines()
    assert lines[:2] == ["# count-calls, lookups", "sudo inspector TARGET"]
    assert len(lines) == 4 and "\x1b" not in lines[3]


def test_what_no_command_grants_is_a_comment_of_the_script_and_what_is_there_in_part_is_not_called_missing() -> None:
    session = state().session
    assert session is not None
    session.capabilities[:] = [
        Capability(name="births", state="yes", how=""),
        Capability(name="first-calls", state="partly", how="", grant="boot Linux 6.10 or newer"),
        Capability(name="results", state="no", how="", grant="sudo inspector TARGET"),
    ]
    assert grants(session).splitlines()[:2] == ["# first-calls", "# boot Linux 6.10 or newer"]
    assert "1 of 3 capabilities available; partly: first-calls; not: results." in as_text(
        session, width=100, colour=False
    )
