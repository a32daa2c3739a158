"""Rules about looking at the right process."""

import pytest

from inspector.model.worker import is_tool
from inspector.stream.machine import PreloadFileRead, UnitFile, UnitRead, UnitSetting
from inspector.stream.processes import Peer, SameNameProcess, SocketsRead

from ..asking import BACKEND, SHIM, answer, found, healthy, rules, working
from ..build import SECOND, WALL, Story

UNIT = "/etc/systemd/system/ollama.service.d/vgpu.conf"


def _unit(story: Story, *, mtime: int, value: str = SHIM, reload: bool | None = None) -> None:
    setting = UnitSetting(key="LD_PRELOAD", value=value, path=UNIT, line=2)
    files = [UnitFile(path=UNIT, mtime=mtime)]
    story.tell(
        UnitRead(
            at=story.later(), unit="ollama.service", files=files, settings=[setting], main_pid=812, needs_reload=reload
        )
    )


def _service(environment: dict[str, str], age: int = 600 * SECOND) -> Story:
    story = Story()
    story.process(812, ("/usr/local/bin/ollama", "serve"), age=age, environment=environment)
    return story


def test_a_drop_in_younger_than_its_process_is_not_in_force() -> None:
    story = _service({})
    _unit(story, mtime=WALL - 240 * SECOND)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("setting-not-in-force", "proven")
    assert "vgpu.conf is 6 min newer than PID 812 (ollama)" in finding.title
    assert "LD_PRELOAD is not in that process" in finding.title
    assert finding.command.startswith("systemctl ")


def test_a_drop_in_that_the_process_has_is_in_force() -> None:
    story = _service({"LD_PRELOAD": SHIM})
    _unit(story, mtime=WALL - 240 * SECOND)
    assert rules(story) == []


def test_an_older_drop_in_that_a_wrapper_took_out_is_not_called_unloaded() -> None:
    story = _service({})
    _unit(story, mtime=WALL - 6000 * SECOND)
    assert "setting-not-in-force" not in rules(story)


def test_a_needed_reload_is_said_in_the_next_step() -> None:
    story = _service({})
    _unit(story, mtime=WALL - 6000 * SECOND, reload=True)
    assert answer(story).command.startswith("systemctl daemon-reload")


def test_a_preload_file_younger_than_the_process_is_a_warning() -> None:
    story = _service({})
    story.map(812, "/lib/libc.so.6")
    story.tell(PreloadFileRead(at=story.later(), path="/etc/ld.so.preload", entries=[SHIM], mtime=WALL - SECOND))
    assert found(story, "setting-not-in-force").severity == "warning"


def _other(story: Story, port: int = 11434) -> None:
    story.tell(
        SameNameProcess(
            at=story.later(), pid=640, argv=["ollama", "serve"], exe="/snap/ollama/bin/ollama",
            unit="snap.ollama.listener", listening=[f"127.0.0.1:{port}"],
        )
    )  # fmt: skip


def test_the_port_that_clients_ask_is_served_by_another_process() -> None:
    story = _service({})
    story.tell(SocketsRead(at=story.later(), pid=812))
    _other(story)
    finding = answer(story)
    assert (finding.rule, finding.confidence) == ("other-service-answers", "proven")
    assert "port 11434 is served by PID 640 (snap.ollama.listener); you are looking at PID 812" in finding.title
    assert finding.chain[0].text == "another process does the work"


def test_two_services_on_two_ports_are_no_fault() -> None:
    story = _service({})
    story.tell(SocketsRead(at=story.later(), pid=812, listening=["127.0.0.1:11434"]))
    _other(story, 11500)
    assert rules(story) == []


def test_a_client_is_told_where_the_work_is_done() -> None:
    story = Story()
    story.process(900, ("/usr/bin/asker", "now"))
    peer = Peer(address="127.0.0.1:8123", pid=812, argv="server")
    story.tell(SocketsRead(at=story.later(), pid=900, connected=[peer]))
    finding = answer(story)
    assert (finding.rule, finding.command) == ("client-only", "inspector 812")
    assert "127.0.0.1:8123" in finding.title


def test_a_program_on_the_gpu_that_also_talks_to_a_service_is_no_client() -> None:
    story = healthy()
    peer = Peer(address="127.0.0.1:8123", pid=4, argv="database")
    story.tell(SocketsRead(at=story.later(), pid=812, connected=[peer]))
    assert rules(story) == ["gpu-in-use"]


def test_the_parent_of_working_children_is_information_only() -> None:
    story = Story()
    story.process(812)
    story.process(850, ("/opt/app/server", "runner"), parent=812)
    story.driver(850)
    story.consumer(850, BACKEND)
    working(story, 850)
    assert rules(story) == ["gpu-in-use", "work-done-by-children"]
    finding = found(story, "work-done-by-children")
    assert finding.severity == "info" and "PID 850" in finding.title
    assert "work-done-by-children" not in rules(healthy())


@pytest.mark.parametrize("name", ["sort", "bash", "test", "git"])
def test_a_program_that_asks_for_a_gpu_is_no_tool_whatever_its_name(name: str) -> None:
    story = Story()
    story.process(812, (f"/opt/app/{name}",), comm=name)
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", 100, by=BACKEND)
    assert "cuInit = 100" in answer(story).title


def test_a_tool_into_which_a_shim_is_preloaded_stays_one() -> None:
    story = Story()
    story.process(812, ("/usr/bin/sort",), comm="sort")
    story.map(812, SHIM, "preload")
    story.look_up(812, "dlopen", "libcuda.so.1", False, by=SHIM, error="libcuda.so.1: cannot open shared object file")
    assert is_tool(story.state.processes[0])


@pytest.mark.parametrize("through", [SHIM, "/opt/vgpu/lib/libhelper.so"])
def test_nor_is_it_a_program_where_the_shim_or_what_it_needs_gets_the_driver(through: str) -> None:
    story = Story()
    story.process(812, ("/bin/sh", "-c", "sort /dev/null"), comm="sh")
    story.map(812, SHIM, "preload")
    if through != SHIM:
        story.map(812, through, "needed", route_by=SHIM)
    story.driver(812, route="dlopen")
    story.look_up(812, "dlopen", "libcuda.so.1", True, by=through, answer="/opt/shim/libcuda.so.1")
    assert is_tool(story.state.processes[0])
    assert "cuInit" not in answer(story).title


def test_what_the_program_itself_asks_for_beside_a_preloaded_shim_counts() -> None:
    story = Story()
    story.process(812, ("/opt/app/sort",), comm="sort")
    story.map(812, SHIM, "preload")
    story.look_up(812, "dlopen", "libcuda.so.1", True, by="/opt/app/sort", answer="/opt/shim/libcuda.so.1")
    assert not is_tool(story.state.processes[0])


def test_a_program_that_becomes_a_shell_was_what_it_was() -> None:
    story = Story()
    story.process(812, ("/opt/app/server",), comm="server")
    story.driver(812)
    story.consumer(812, BACKEND)
    story.call(812, "cuInit", 100, by=BACKEND)
    story.execute(812, ("/bin/sh", "-c", "sleep 9"))
    assert "cuInit = 100" in answer(story).title
