"""A stub refuses its private tables as it refuses everything: the stub is what is wrong, not the table."""

from .asking import answer
from .build import Story


def test_a_stub_that_refuses_a_table_is_told_as_a_stub() -> None:
    story = Story()
    story.process(812)
    story.driver(812, "/opt/stubs/libcuda.so.1")
    story.look_up(812, "cuGetExportTable", "6bd5fb6c-5bf4-e74a-8987-d93912fd9df9", False, result=34,
                  answered_by="/opt/app/libbackend.so")  # fmt: skip
    found = answer(story)
    assert found.rule == "stub-library" and "/opt/stubs/libcuda.so.1" in found.title
