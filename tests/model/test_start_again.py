"""A command that starts a program again asks the same question: the same program, with the same loader variables."""

from inspector.model.start_again import observed_again, rerun, waited_for
from inspector.model.state import Process

from .build import Story

SHIM = {"LD_PRELOAD": "/opt/shim/libshim.so", "LD_LIBRARY_PATH": "/opt/app/lib", "OTHER": "1"}


def _process(story: Story, pid: int = 812) -> Process:
    return story.state.current[pid]


def test_a_program_is_started_again_with_the_loader_variables_that_it_had() -> None:
    story = Story()
    story.process(812, argv=["/opt/app/server", "--fast"], environment=SHIM)
    shim = "LD_PRELOAD=/opt/shim/libshim.so LD_LIBRARY_PATH=/opt/app/lib /opt/app/server --fast"
    assert observed_again(_process(story)) == f"inspector report -- env {shim}"
    assert rerun(_process(story), "-u", "GPUS") == f"env -u GPUS {shim}"


def test_a_setting_takes_the_place_of_the_variable_that_the_program_had() -> None:
    story = Story()
    story.process(812, argv=["/opt/app/server"], environment=SHIM)
    command = rerun(_process(story), "LD_LIBRARY_PATH=/usr/lib/gpu")
    assert command == "env LD_LIBRARY_PATH=/usr/lib/gpu LD_PRELOAD=/opt/shim/libshim.so /opt/app/server"


def test_a_relative_path_is_started_in_the_folder_where_it_holds() -> None:
    story = Story()
    story.process(812, argv=["./server"], cwd="/opt/app", environment={"LD_PRELOAD": "/opt/shim/libshim.so"})
    story.process(813, argv=["python3", "train.py"], exe="/usr/bin/python3", cwd="/srv/job")
    story.process(814, argv=["/opt/app/server"], cwd="/srv/job")
    assert rerun(_process(story)) == "env -C /opt/app LD_PRELOAD=/opt/shim/libshim.so ./server"
    assert observed_again(_process(story, 813)) == "inspector report -- env -C /srv/job python3 train.py"
    assert rerun(_process(story, 814)) == "/opt/app/server"


def test_a_path_that_the_loader_has_as_an_option_is_replaced_there() -> None:
    story = Story()
    story.process(812, argv=["/lib/ld.so", "--library-path", "/opt/app/lib", "/opt/app/server"])
    command = rerun(_process(story), "--library-path /srv/lib:/opt/app/lib")
    assert command == "/lib/ld.so --library-path /srv/lib:/opt/app/lib /opt/app/server"


def test_of_the_child_of_a_server_the_server_is_started_again() -> None:
    story = Story()
    story.process(812, argv=["/opt/app/server", "serve"], environment={"LD_PRELOAD": "/opt/shim/libshim.so"})
    story.process(850, parent=812, argv=["/opt/app/server", "runner", "--port", "41227"], environment=SHIM)
    child = _process(story, 850)
    assert rerun(child, "-u", "GPUS") == "env -u GPUS LD_PRELOAD=/opt/shim/libshim.so /opt/app/server serve"
    assert observed_again(child) == waited_for(child) == "inspector --wait server"


def test_a_program_that_a_shell_started_is_started_itself() -> None:
    story = Story()
    story.process(812, argv=["bash", "run.sh"], exe="/usr/bin/bash")
    story.process(850, parent=812, argv=["/opt/app/train", "--steps", "2"])
    assert rerun(_process(story, 850)) == "/opt/app/train --steps 2"


def test_a_program_of_a_container_is_waited_for_and_not_started_outside() -> None:
    story = Story()
    story.process(812, argv=["/opt/app/server"], own_root=True)
    assert rerun(_process(story)) == ""
    assert observed_again(_process(story)) == "inspector --wait server"
