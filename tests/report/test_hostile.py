"""Nothing that a target says reaches a terminal, a page or a ticket raw."""

import re
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.report import builder
from inspector.report.formats import FORMATS, render
from inspector.report.markdown import code, plain
from inspector.report.schema import Report, from_json
from inspector.stream.redact import rewritten
from inspector.stream.text import visible

from .sample import answer, sample_report, state

NASTY = "\x1b]0;owned\x07\x1b[2J</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e`|*_[x](y)\"'&\r\n"
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def hostile(text: str) -> Report:
    """The sample with a text at the end of everything that is more than a word, made harmless as facts are."""
    return rewritten(sample_report(), lambda word: visible(f"{word}{text}" if " " in word or "/" in word else word))


def test_a_report_that_is_nested_without_end_is_refused() -> None:
    deep = b'{"schema":"shim-inspector/report/1","target":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_001
    with pytest.raises(msgspec.DecodeError, match="nested"):
        from_json(deep)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def _tags(page: str) -> _Tags:
    parser = _Tags()
    parser.feed(page)
    return parser


def test_the_report_is_made_harmless_where_it_is_made() -> None:
    nasty = rewritten(answer(), lambda word: word + NASTY)
    assert RAW.search(render(builder.report(state(), nasty), "json").decode()) is None


@pytest.mark.parametrize("format", FORMATS)
def test_no_control_byte_of_a_target_is_in_any_format(format: str) -> None:
    assert RAW.search(render(hostile(NASTY), format).decode()) is None


def test_a_page_has_no_element_or_attribute_that_a_target_wrote() -> None:
    clean, dirty = _tags(render(sample_report(), "html").decode()), _tags(render(hostile(NASTY), "html").decode())
    assert dirty.tags == clean.tags
    assert dirty.attributes == clean.attributes
    assert "img" not in dirty.tags and dirty.tags.count("script") == 2


def test_a_page_asks_for_nothing_from_the_network() -> None:
    page = render(sample_report(), "html").decode()
    assert not re.search(r"@import|url\(|https?://|fetch\(", page.replace("http://www.w3.org/2000/svg", ""))
    assert not {"src", "href", "srcset", "action"} & _tags(page).attributes
    assert "default-src 'none'" in page


def test_the_raw_json_in_the_page_is_the_report() -> None:
    report = hostile(NASTY)
    page = render(report, "html").decode()
    raw = page.split('id="report">\n', 1)[1].split("</script>", 1)[0]
    assert from_json(raw.encode()) == report


@pytest.mark.longer
@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_any_text_leaves_the_page_its_elements(text: str) -> None:
    assert _tags(render(hostile(text), "html").decode()).tags == _tags(render(sample_report(), "html").decode()).tags


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_any_text_in_a_code_span_stays_inside(text: str) -> None:
    made = code(visible(text))
    if made:
        fence = re.match(r"`+", made)
        assert fence is not None and made.endswith(fence[0])
        inside = made[len(fence[0]) : -len(fence[0])]
        assert all(ticks != fence[0] for ticks in re.findall(r"`+", inside))


def test_markdown_makes_nothing_of_plain_words() -> None:
    assert plain("a *b* _c_ [d](e) <f> `g` | @all") == r"a \*b\* \_c\_ \[d\](e) \<f\> \`g\` \| " + "@\u200ball"
    assert plain("LD_LIBRARY_PATH") == "LD_LIBRARY_PATH"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_any_text_gives_valid_json_and_trace_events(text: str) -> None:
    report = hostile(text)
    assert from_json(render(report, "json")) == report
    assert "traceEvents" in msgspec.json.decode(render(report, "perfetto"), type=dict[str, object])
