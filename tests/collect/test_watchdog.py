"""A collector that does not go on says so itself, from a thread that does."""

import os
import threading
from pathlib import Path

import pytest

from inspector.collect.loop import CollectorLoop
from inspector.collect.watchdog import Watchdog


@pytest.mark.parametrize("aside", [False, True], ids=["loop", "worker"])
def test_a_file_that_does_not_open_is_told_and_so_is_the_end_of_the_wait(tmp_path: Path, aside: bool) -> None:
    told: list[str] = []
    news = threading.Event()

    def tell(doing: str) -> None:
        told.append(doing)
        news.set()

    def read() -> None:
        os.close(os.open(fifo, os.O_RDONLY))

    fifo = tmp_path / "dead"
    os.mkfifo(fifo)
    loop = CollectorLoop(lambda what, error: pytest.fail(f"{what}: {error}"))
    if aside:
        loop.in_background(read, lambda _: None)
    else:
        loop.soon(read)
    watchdog = Watchdog(loop.works, tell)
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    assert news.wait(30) and told == [f"opening {fifo}"]
    news.clear()
    os.close(os.open(fifo, os.O_WRONLY))
    assert news.wait(30) and told == [f"opening {fifo}", ""]
    loop.stop()
    thread.join(30)
    watchdog.close()
    assert not thread.is_alive()
