"""The page in a real browser, at the size of a desk and of a phone, light and dark, zoomed and printed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from inspector.report.formats import render
from inspector.report.schema import from_json

from .sample import sample_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.longer,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium"),
]

PROBE = """
<script>
  addEventListener("load", () => {
    const drawing = document.getElementById("picture"), box = drawing.getBoundingClientRect();
    const mark = () => drawing.querySelector("path.signal").getAttribute("transform");
    const before = mark();
    const at = { clientX: box.left + 10, clientY: box.top + 30, bubbles: true, cancelable: true };
    drawing.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: -400 }));
    const zoomed = mark();
    const button = (chosen) => document.querySelector(chosen).click();
    button("[data-zoom='0']");
    const whole = mark();
    button("[data-zoom='2']");
    const larger = mark();
    drawing.dispatchEvent(new MouseEvent("dblclick", at));
    drawing.querySelector("path.signal").dispatchEvent(new PointerEvent("pointermove", { ...at, pointerId: 1 }));
    const edge = document.documentElement.clientWidth + 1;
    const wide = [...document.querySelectorAll("body *")].filter(
      (one) => !one.closest(".wide, svg") && one.getBoundingClientRect().right > edge);
    document.title = JSON.stringify({
      zooms: before !== zoomed && whole === before && larger !== before, returns: before === mark(),
      says: document.getElementById("what").textContent,
      ticks: document.querySelectorAll("#ticks text").length, overflowing: wide.map((one) => one.className),
      letters: getComputedStyle(drawing.querySelector("text.name")).fontSize,
    });
  });
</script>
"""


def browse(page: Path, profile: Path, *flags: str) -> str:
    assert CHROMIUM
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}",
        "--virtual-time-budget=3000", *flags, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_bytes(render(sample_report(), "html"))
    return path


@pytest.mark.parametrize("size", ["1280,900", "500,900"])
def test_the_timeline_zooms_and_nothing_leaves_the_page(page: Path, tmp_path: Path, size: str) -> None:
    page.write_text(page.read_text().replace("</body>", PROBE + "</body>"))
    found = browse(page, tmp_path / "profile", "--dump-dom", f"--window-size={size}")
    title = re.search(r"<title>(.*?)</title>", found)
    assert title is not None
    told = title[1].replace("&quot;", '"').replace("&gt;", ">")
    assert '"zooms":true,"returns":true' in told, told
    assert "killed by SIGSEGV" in told
    assert '"overflowing":[]' in told and '"letters":"11px"' in told
    assert '"ticks":0' not in told


def test_the_json_that_the_browser_sees_is_the_report(page: Path, tmp_path: Path) -> None:
    found = browse(page, tmp_path / "profile", "--dump-dom")
    raw = found.split('id="report">', 1)[1].split("</script>", 1)[0]
    assert from_json(raw.encode()) == sample_report()


@pytest.mark.parametrize("flags", [("--window-size=1280,2000",), ("--window-size=390,2000", "--force-dark-mode")])
def test_the_page_paints_at_every_size(page: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    picture = tmp_path / "page.png"
    browse(page, tmp_path / "profile", f"--screenshot={picture}", *flags)
    assert picture.stat().st_size > 40_000, "an empty page is a few KB"


def test_the_page_prints(page: Path, tmp_path: Path) -> None:
    paper = tmp_path / "page.pdf"
    browse(page, tmp_path / "profile", f"--print-to-pdf={paper}", "--no-pdf-header-footer")
    assert paper.read_bytes().startswith(b"%PDF-")
