"""The Model Context Protocol server, asked by the SDK's own client about a real target."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.types import TextContent

from inspector.stream.transport import MAIN

_SLEEPER = "import ctypes, time\ntry: ctypes.CDLL('libcuda-is-not-here.so.1')\nexcept OSError: pass\ntime.sleep(60)"


@pytest.fixture
def target() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", _SLEEPER]) as process:
        time.sleep(0.5)
        yield process.pid
        process.kill()


def _documented_tools() -> set[str]:
    page = (Path(__file__).parents[2] / "docs/assistants.md").read_text()
    return set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))


def client() -> Client:
    return Client(stdio_client(StdioServerParameters(command=sys.executable, args=[str(MAIN), "mcp"])))


async def said(connected: Client, tool: str, **words: object) -> str:
    result = await connected.call_tool(tool, words)
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


@pytest.mark.longer
async def test_an_assistant_is_offered_the_documented_tools_and_they_only_read() -> None:
    async with client() as connected:
        offered = (await connected.list_tools()).tools
        assert {tool.name for tool in offered} == _documented_tools()
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in offered)
        assert all(tool.description for tool in offered)


async def test_an_observation_is_told_shortly_and_can_be_asked_about(target: int) -> None:
    async with client() as connected:
        answer = await said(connected, "report", target=str(target), seconds=1)
        assert answer.startswith("observation 1\n") and f"PID {target}" in answer and "mode: " in answer
        assert len(answer) < 8_000
        assert "libc.so.6" in await said(connected, "libraries", observation=1, contains="libc.so")
        assert "observation 7 is not kept" in await said(connected, "timeline", observation=7)


@pytest.mark.longer
async def test_what_cannot_be_observed_is_an_answer_and_no_crash() -> None:
    async with client() as connected:
        assert "no process" in await said(connected, "report", target="there-is-no-such-program", seconds=0.2)
        assert "yes" in await said(connected, "doctor")


@pytest.mark.longer
async def test_a_running_process_is_asked_for_symbols_and_for_a_load_that_never_was(target: int) -> None:
    async with client() as connected:
        rows = await said(connected, "symbols", pid=target, contains="^dlopen", kind="defined")
        assert "defined dlopen" in rows and "libc.so.6" in rows
        told = await said(connected, "predicted_load", pid=target, name="libcuda-is-not-here.so.1")
        assert '"ok": false' in told and "cannot open shared object file" in told
        assert len(told) <= 6_000
        assert "no" in await said(connected, "symbols", pid=1 << 22, contains="x")


@pytest.mark.longer
async def test_words_that_are_options_or_no_words_are_refused_in_words(target: int) -> None:
    async with client() as connected:
        assert "is no rule" in await said(connected, "explain", rule="--format=markdown")
        assert "is no target" in await said(connected, "report", target="-o/tmp/x", seconds=0.2)
        assert "is no target" in await said(connected, "report", target="x\0y", seconds=0.2)
        begun = time.monotonic()
        assert "cannot be predicted" in await said(connected, "predicted_load", pid=target, name="a\0b")
        assert time.monotonic() - begun < 20
