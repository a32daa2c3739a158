"""Which functions may have been called before anybody counted: "not called" is then unknown."""

from inspector.model.coverage import maybe_called_before

from .build import Story


def late_functions(*, age: int) -> set[str]:
    story = Story()
    if not age:
        story.watch("/opt/shim/libcuda.so.1", ["cuInit"])
    story.process(812, age=age)
    story.driver(812, watch=bool(age), exports=["cuInit"])
    story.process(900, ["/bin/sh"])
    late = maybe_called_before(story.state, story.state.processes)
    return {story.state.functions[number].name for number in late}


def test_in_a_process_that_ran_before_they_were_counted() -> None:
    assert late_functions(age=10**9) == {"cuInit"}


def test_not_in_one_whose_library_came_when_they_were() -> None:
    assert late_functions(age=0) == set()
