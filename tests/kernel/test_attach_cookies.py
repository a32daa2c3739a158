"""Programs rewritten for probes without an attach cookie."""

from collections.abc import Callable

from inspector.collect.kernel.assembler import Assembler, Helper, Reg
from inspector.collect.kernel.attach_cookies import with_constant_cookie, with_cookie_by_place


def _program(cookie: Callable[[Assembler], None]) -> bytes:
    """Jumps forth and back across the place where the cookie is asked for, and a constant of two slots."""
    a = Assembler()
    a.label("again")
    a.constant(Reg.R3, 1 << 40)
    a.jump_if(Reg.R3, "==", 0, "out")
    cookie(a)
    a.jump_if(Reg.R0, "!=", 7, "again")
    cookie(a)
    a.jump("again")
    a.label("out")
    a.leave()
    return a.build()


def test_a_constant_takes_the_place_of_the_helper_and_every_jump_still_arrives() -> None:
    asking = _program(lambda a: a.call(Helper.ATTACH_COOKIE))
    for value in (0, 7, 1 << 63 | 5):

        def constant(a: Assembler, value: int = value) -> None:
            a.constant(Reg.R0, value)

        assert with_constant_cookie(asking, value) == _program(constant)


def test_a_program_that_asks_for_no_cookie_stays_as_it_is() -> None:
    plain = _program(lambda a: a.call(Helper.KTIME_NS))
    assert with_constant_cookie(plain, 3) == with_cookie_by_place(plain, 3) == plain
