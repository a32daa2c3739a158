"""Instructions as the kernel's documents encode them, and programs that the kernel accepts."""

import pytest

from inspector.collect.kernel.assembler import Assembler, Helper, Reg


def code(write: object) -> str:
    """Hexadecimal instructions that a function writes."""
    a = Assembler()
    assert callable(write)
    write(a)
    return a.build().hex(" ", 8)


def test_moves_loads_stores_and_calls_are_encoded_as_documented() -> None:
    assert code(lambda a: a.move(Reg.R6, Reg.R1)) == "bf16000000000000"
    assert code(lambda a: a.move(Reg.R0, -1)) == "b7000000ffffffff"
    assert code(lambda a: a.load(Reg.R1, Reg.R10, -8, 4)) == "61a1f8ff00000000"
    assert code(lambda a: a.store(Reg.R9, 16, Reg.R0)) == "7b09100000000000"
    assert code(lambda a: a.store(Reg.R10, -4, 7, 1)) == "720afcff07000000"
    assert code(lambda a: a.call(Helper.KTIME_NS)) == "8500000005000000"
    assert code(lambda a: a.atomic_add(Reg.R9, 8, Reg.R1)) == "db19080000000000"


def test_a_constant_takes_two_instructions() -> None:
    assert code(lambda a: a.constant(Reg.R3, 0x1_8000_0002)) == "1803000002000080 0000000001000000"


def test_jumps_go_forward_and_backward_to_labels() -> None:
    a = Assembler()
    a.label("start")
    a.jump_if(Reg.R1, "==", 0, "end")
    a.jump("start")
    a.label("end")
    a.exit()
    assert a.build().hex(" ", 8) == "1501010000000000 0500feff00000000 9500000000000000"


def test_a_label_is_set_once_and_must_exist() -> None:
    a = Assembler()
    a.label("here")
    with pytest.raises(ValueError, match="here"):
        a.label("here")
    a.jump("nowhere")
    with pytest.raises(KeyError):
        a.build()
