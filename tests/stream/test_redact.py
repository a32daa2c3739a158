"""Sharing hides who and where, the same everywhere, and says what it hid."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from inspector.stream.processes import ProcessExec
from inspector.stream.redact import Redactor, rewritten
from inspector.stream.session import LimitNoted, SessionStarted, TargetMissing

from .samples import started


def test_home_folders_users_hosts_and_addresses_get_stand_ins() -> None:
    redactor = Redactor()
    assert redactor.text("/home/alice/lib:/home/bob/lib") == "/home/USER1/lib:/home/USER2/lib"
    assert redactor.text("alice@gpu7.example.org from 10.1.2.3:443") == "USER1@HOST1 from ADDRESS1:443"
    assert redactor.text("alice owns gpu7.example.org") == "USER1 owns HOST1"
    assert redactor.text("via fe80::1c2d:3e4f") == "via ADDRESS2"


def test_versions_files_and_loopback_stay() -> None:
    redactor = Redactor()
    for text in (
        "libcublas.so.12.8.4.1",
        "127.0.0.1:11434",
        "0.0.0.0",
        "[::1]:80",
        "name@GLIBC_2.34",
        "malloc_x@libx.so.12",
        "/home",
        "std::string::npos",
        "0000:00:05.0",
        "getty@tty1.service",
        "/root/x",
        "12:34:56",
    ):
        assert redactor.text(text) == text, redactor.hidden


def test_the_preview_names_what_was_hidden_and_how_often() -> None:
    redactor = Redactor()
    redactor.text("/home/alice and /home/alice/x")
    assert redactor.preview() == ["USER1 for alice (2 times)"]


def test_an_event_is_redacted_in_every_text_it_holds() -> None:
    redactor = Redactor()
    exec_ = ProcessExec(
        at=1, pid=2, argv=["/home/alice/x", "--to=vm"], exe="/home/alice/x", environment={"HOME": "/home/alice"}
    )
    redactor.event(started())
    redacted = redactor.event(exec_)
    assert isinstance(redacted, ProcessExec)
    assert redacted.argv == ["/home/USER1/x", "--to=HOST1"]
    assert redacted.environment == {"HOME": "/home/USER1"}
    assert redactor.event(LimitNoted(at=1, what="x", why="alice")) == LimitNoted(at=1, what="x", why="USER1")


def test_names_that_the_collector_tells_are_hidden_before_they_are_met_and_not_written() -> None:
    redactor = Redactor()
    event = replace(started(), target="setpriv --reuid=alice x", names={"alice": "USER", "192.0.2.7": "ADDRESS"})
    redacted = redactor.event(event)
    assert isinstance(redacted, SessionStarted)
    assert redacted.target == "setpriv --reuid=USER1 x" and redacted.names == {}
    assert redactor.preview() == ["HOST1 for vm (1 times)", "USER1 for alice (1 times)"]


def test_a_name_that_is_met_in_one_line_is_hidden_in_those_before_it_too() -> None:
    assert Redactor().texts(["su alice", "cd /home/alice"]) == ["su USER1", "cd /home/USER1"]


def test_words_of_the_contract_stay_even_when_a_user_has_such_a_name() -> None:
    redactor = Redactor()
    redactor.learn("ended", "USER")
    event = TargetMissing(at=1, why="ended has ended", kind="ended")
    assert redactor.event(event) == TargetMissing(at=1, why="USER1 has USER1", kind="ended")


def test_a_struct_without_a_change_is_given_back_as_it_is() -> None:
    assert rewritten(started(), lambda text: text) == started()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_redacted_without_an_error_and_a_second_time_changes_nothing(text: str) -> None:
    redactor = Redactor()
    redactor.learn("alice", "USER")
    once = redactor.text(text)
    assert redactor.text(once) == once
    assert "alice" not in once.split()
