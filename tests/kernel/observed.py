"""Commands under an engine until they end, with everything that the kernel told about them."""

import os
import select
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

from inspector.collect.kernel.engine import Engine
from inspector.collect.kernel.records import Exited, Record

R = TypeVar("R")


def run(engine: Engine, *command: str, environment: dict[str, str] | None = None) -> tuple[int, list[Record]]:
    """Run a command as a member; its pid and all records of it and its descendants."""
    with engine.adopting():
        process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, stderr=subprocess.DEVNULL)
    records = drain_until(engine, lambda record: isinstance(record, Exited) and record.pid == process.pid)
    process.wait()
    return process.pid, records


def drain_until(engine: Engine, last: Callable[[Record], bool], seconds: float = 20) -> list[Record]:
    """Records up to one that matches; fails when it does not come."""
    records: list[Record] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        select.select([engine.fd], [], [], 0.1)
        records += engine.drain()
        if any(last(record) for record in records):
            return records
    raise AssertionError(f"the record did not come; {len(records)} others did")


def of(kind: type[R], records: list[Record]) -> list[R]:
    """Records of one kind."""
    return [record for record in records if isinstance(record, kind)]
