"""Lines from tables as they lie in memory, against what each interpreter itself says of its code."""

import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.collect.python.line_table import line_of

from .pythons import pythons

_TELL = """
import ast, json, argparse, types
rows = []
def walk(code):
    lines = [(begin, end, line) for begin, end, line in code.co_lines()]
    rows.append((code.co_linetable.hex(), code.co_firstlineno, lines))
    for one in code.co_consts:
        if isinstance(one, types.CodeType): walk(one)
for module in (ast, argparse):
    walk(compile(open(module.__file__).read(), module.__file__, "exec"))
print(json.dumps(rows))
"""


@pytest.mark.parametrize("version", sorted(pythons()))
def test_each_instruction_has_the_line_that_python_gives_it(version: tuple[int, int]) -> None:
    told = subprocess.run([pythons()[version], "-c", _TELL], capture_output=True, check=True)
    seen = 0
    for table, first, rows in json.loads(told.stdout):
        raw = bytes.fromhex(table)
        for begin, end, line in rows[:: max(1, len(rows) // 12)]:
            assert line_of(raw, first, begin, pairs=version == (3, 10)) == line, (begin, end)
            assert line_of(raw, first, end - 2, pairs=version == (3, 10)) == line, (begin, end)
            seen += 1
    assert seen > 1000


@given(st.binary(max_size=200), st.integers(0, 500), st.integers(0, 1000), st.booleans())
def test_any_bytes_give_a_line_or_none(raw: bytes, first: int, offset: int, pairs: bool) -> None:
    line = line_of(raw, first, offset, pairs=pairs)
    assert line is None or isinstance(line, int)


@given(st.integers(1, 60))
def test_a_table_that_is_cut_off_gives_no_wrong_line(size: int) -> None:
    def sample(value: int) -> list[int]:
        return [item * 2 for item in range(value)
                if item
                != 3]  # fmt: skip

    code = sample.__code__
    lines = {begin: line for begin, end, line in code.co_lines()}
    for begin, line in lines.items():
        assert line_of(code.co_linetable[:size], code.co_firstlineno, begin, pairs=False) in (line, None)
