"""Commands by hand about files: of a container they look into its own file tree, never at the same path outside."""

from inspector.model import commands_by_hand
from inspector.model.state import Process

from ..asking import BACKEND, CPU, answer
from ..build import Story


def _contained() -> tuple[Story, Process]:
    story = Story()
    story.process(812, own_root=True, mount_namespace=4026532)
    story.process(850, parent=812, own_root=True, mount_namespace=4026532)
    return story, story.state.current[850]


def test_files_of_a_container_are_reached_through_a_process_that_lives_in_it() -> None:
    story, child = _contained()
    assert commands_by_hand.listing(child, "/lib/a.so", "/lib/b.so") == (
        "ls -l /proc/850/root/lib/a.so /proc/850/root/lib/b.so"
    )
    assert commands_by_hand.search(child, "a.so*") == "find /proc/850/root/ -xdev -name 'a.so*' 2>/dev/null"
    story.end(850)
    assert commands_by_hand.path(child, "/lib/a.so") == "ls -ld /proc/812/root/lib/a.so"


def test_paths_without_a_file_tree_of_their_own_stay_as_they_are() -> None:
    story = Story()
    story.process(812)
    assert commands_by_hand.kind(story.state.current[812], "/lib/a.so") == "file -L /lib/a.so; ls -lL /lib/a.so"


def test_a_library_that_a_container_lacks_is_looked_for_inside() -> None:
    story, _ = _contained()
    error = "libcublasLt.so.12: cannot open shared object file: No such file or directory"
    story.look_up(850, "dlopen", BACKEND, False, by="/opt/app/server", error=error, tried=[(BACKEND, 0)])
    story.log(CPU)
    assert answer(story).command == "find /proc/850/root/ -xdev -name 'libcublasLt*' 2>/dev/null"


def test_a_file_that_wants_a_name_is_printed_with_it() -> None:
    story = Story()
    story.process(812)
    command = commands_by_hand.wanted(story.state.current[812], "libwrong.so", "cuInit")
    assert "-exec nm -AD --undefined-only" in command
