"""An engine on the live kernel, or the reason why there is none."""

from collections.abc import Iterator

import pytest

from inspector.collect.kernel.engine import Engine, EngineError


@pytest.fixture
def engine() -> Iterator[Engine]:
    try:
        opened = Engine()
    except EngineError as error:
        pytest.skip(f"no kernel programs here: {error}")
    yield opened
    opened.close()
