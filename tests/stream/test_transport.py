"""The command that starts a collector, here and far away."""

import shlex
import sys

import pytest

from inspector.stream.transport import MAIN, Transport, collector_command, program_words, target_words


def test_here_the_same_python_runs_the_collector_and_ignores_the_current_folder() -> None:
    command = collector_command(target_words("ollama"))
    assert command == [sys.executable, str(MAIN), "collect", "--target=ollama"]


def test_a_name_that_begins_with_a_dash_is_still_a_target() -> None:
    assert collector_command(target_words("-bash", wait=True))[-2:] == ["--wait", "--target=-bash"]


def test_ssh_asks_nothing_and_keeps_the_users_own_options() -> None:
    place = Transport(host="me@vm", ssh_options=("-F", "/tmp/config"))
    command = collector_command(target_words("a b"), place)
    assert command[0] == "ssh" and "BatchMode=yes" in command
    assert command[-5:-1] == ["-F", "/tmp/config", "--", "me@vm"]
    assert shlex.split(command[-1]) == ["inspector", "collect", "--target=a b"]


def test_words_for_the_far_shell_are_quoted() -> None:
    hostile = "x; rm -rf $HOME `id`"
    command = collector_command(program_words(["echo", hostile]), Transport(host="vm"))
    assert shlex.split(command[-1]) == ["inspector", "collect", "--", "echo", hostile]


def test_via_and_sudo_stand_in_front_of_the_program() -> None:
    place = Transport(host="vm", via="docker exec -i ollama", sudo=True, remote_command="python3 -m inspector")
    inside = shlex.split(collector_command(["--list"], place)[-1])
    assert " ".join(inside) == "docker exec -i ollama sudo -n -- python3 -m inspector collect --list"
    assert str(place) == "`docker exec -i ollama` on vm"


def test_a_host_that_looks_like_an_option_is_refused() -> None:
    with pytest.raises(ValueError, match="dash"):
        collector_command([], Transport(host="-oProxyCommand=evil"))
