"""Symbols judged in bulk and one by one agree, whatever the table holds."""

from hypothesis import given
from hypothesis import strategies as st

from inspector.collect.elf.file import CLASS_32, CLASS_64, Layout
from inspector.collect.elf.symbol_masks import SymbolMasks, both, places
from inspector.collect.elf.symbols import SHN_ABS, STT_FUNC, STT_IFUNC, Symbol, names_at

_SYMBOLS = st.lists(
    st.builds(
        Symbol,
        name_at=st.integers(0, 9),
        info=st.integers(0, 255),
        other=st.integers(0, 255),
        section=st.sampled_from([0, 1, 0xF1, 0xFF00, SHN_ABS, 0xFFFF]),
        value=st.sampled_from([0, 1, 0x100, 0x80000000]),
        size=st.integers(0, 99),
    )
)


def table(symbols: list[Symbol], layout: Layout) -> bytes:
    if layout is CLASS_64:
        return b"".join(layout.symbol.pack(*each) for each in symbols)
    return b"".join(
        layout.symbol.pack(each.name_at, each.value, each.size, each.info, each.other, each.section) for each in symbols
    )


@given(_SYMBOLS, st.sampled_from([CLASS_32, CLASS_64]))
def test_masks_tell_what_each_symbol_says_of_itself(symbols: list[Symbol], layout: Layout) -> None:
    masks = SymbolMasks.of(table(symbols, layout), layout)
    nodes = [each.section == SHN_ABS and each.value == 0 for each in symbols]
    real = [each.defined and not node for each, node in zip(symbols, nodes, strict=True)]
    assert list(masks.exported) == [ok and each.visible for ok, each in zip(real, symbols, strict=True)]
    assert list(masks.local) == [ok and not each.visible for ok, each in zip(real, symbols, strict=True)]
    assert list(masks.missing) == [each.section == 0 for each in symbols]
    assert list(masks.functions) == [each.type in (STT_FUNC, STT_IFUNC) for each in symbols]


def test_names_are_taken_of_the_symbols_of_a_mask_that_begin_as_wanted() -> None:
    strings = b"\0cuInit\0my_cuInit\0ab\0"
    raw = b"".join(CLASS_64.symbol.pack(at, 0x12, 0, 1, 1, 0) for at in (1, 8, 11, 18))
    every = SymbolMasks.of(raw, CLASS_64).exported
    assert names_at(strings, raw, 24, every) == {0: b"cuInit", 1: b"my_cuInit", 2: b"cuInit", 3: b"ab"}
    assert names_at(strings, raw, 24, every, {b"cuI", b"ab\0"}) == {0: b"cuInit", 2: b"cuInit", 3: b"ab"}
    assert names_at(strings, raw, 24, both(every, b"\0\1\0\0")) == {1: b"my_cuInit"}
    assert list(places(b"\0\1\0\1")) == [1, 3]
