"""The report as a reader meets it, in a real browser: pictures, sorting by mouse and keys, paper, phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("websocket", reason="needs websocket-client to speak with a browser")

from devtools import Tab, find_browser, open_tab

from synthetic_report import build_report

BROWSER = find_browser()
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="neither chromium nor google-chrome is on the PATH"),
]
CONTRASTS = "document.querySelectorAll('#main table.sortable')[1]"
COLUMN = "[...{table}.tBodies[0].rows].map((row) => row.cells[{column}].dataset.sort)"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    assert BROWSER is not None
    with open_tab(BROWSER, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def column(tab: Tab, heading: str) -> list[str]:
    """The sort keys of one column of the contrasts, from top to bottom."""
    place = f"[...{CONTRASTS}.tHead.rows[0].cells].findIndex((c) => c.textContent.startsWith('{heading}'))"
    return list(tab.evaluate(COLUMN.format(table=CONTRASTS, column=place)))


def heading(name: str) -> str:
    return f"[...{CONTRASTS}.tHead.rows[0].cells].find((c) => c.textContent.startsWith('{name}'))"


def test_it_loads_without_complaint_and_every_image_shows(tab: Tab, report: Path) -> None:
    tab.open(report)
    sizes = tab.evaluate(
        "Promise.all([...document.images].map((i) => i.decode().then(() => i.naturalWidth)))"
    )
    assert len(sizes) == 6 and all(size > 0 for size in sizes)
    assert tab.evaluate("getComputedStyle(document.querySelector('.answer')).borderLeftWidth") == "5px"
    assert tab.complaints() == []


def test_a_click_sorts_by_number_and_a_second_one_reverses(tab: Tab, report: Path) -> None:
    tab.open(report)
    tab.evaluate(f"{heading('difference')}.querySelector('button').click()")
    rising = [float(value) for value in column(tab, "difference")]
    assert rising == sorted(rising) and len(rising) == 4
    assert tab.evaluate(f"{heading('difference')}.getAttribute('aria-sort')") == "ascending"
    tab.evaluate(f"{heading('difference')}.querySelector('button').click()")
    assert [float(value) for value in column(tab, "difference")] == rising[::-1]
    assert tab.evaluate(f"{heading('difference')}.getAttribute('aria-sort')") == "descending"


def test_keys_sort_by_text_too(tab: Tab, report: Path) -> None:
    tab.open(report)
    tab.evaluate(f"{heading('treatment')}.querySelector('button').focus()")
    tab.press("Enter", 13)
    names = column(tab, "treatment")
    assert names == sorted(names) and names[0] == "adversarial"
    assert tab.complaints() == []


def test_empty_cells_stay_last_and_numbers_are_numbers(tab: Tab, report: Path) -> None:
    tab.open(report)
    pairs = "[['', '1', 1], ['1', '', -1], ['2', '10', 1]]"
    assert tab.evaluate(f"{pairs}.map(([a, b, d]) => Math.sign(compare(a, b, d)))") == [1, -1, -1]


def test_it_prints_on_few_sheets(tab: Tab, report: Path) -> None:
    tab.open(report)
    charts_are_there(tab)
    printed = tab.pdf()
    assert printed.startswith(b"%PDF-") and 3 <= len(re.findall(rb"/Type /Page\b", printed)) <= 10
    assert tab.complaints() == []
    tab.send("Emulation.setEmulatedMedia", media="print")
    shown = "[...document.querySelectorAll('{}')].map((e) => getComputedStyle(e).display)"
    assert set(tab.evaluate(shown.format(".chart, .hint"))) == {"none"}
    assert set(tab.evaluate(shown.format("figure .frame"))) == {"block"}
    tab.send("Emulation.setEmulatedMedia", media="")


def charts_are_there(tab: Tab) -> int:
    """Wait until the charts have been drawn, and count them."""
    ready = "document.documentElement.dataset.charts === 'ready'"
    tab.evaluate(
        f"new Promise((go) => {{ const look = () => {ready} ? go() : setTimeout(look, 20); look(); }})"
    )
    return int(tab.evaluate("document.querySelectorAll('.live .chart svg.marks').length"))


def marks(tab: Tab, figure: str) -> str:
    return f"[...document.querySelectorAll('#{figure} .mark-symbol.role-mark path')]"


def test_charts_take_the_place_of_their_figures_and_can_be_questioned(tab: Tab, report: Path) -> None:
    tab.open(report)
    assert charts_are_there(tab) == 3
    assert tab.complaints() == []
    chart = "main-strategy-comparison"
    assert tab.evaluate(f"getComputedStyle(document.querySelector('#{chart} .frame')).display") == "none"
    dots = marks(tab, chart)
    places = f"{dots}.map((e) => e.getAttribute('transform'))"
    first = tab.evaluate(places)
    assert len(first) == 15  # three variants, five seeds
    # A mark under the pointer says whose it is.
    tab.evaluate(f"document.querySelector('#{chart}').scrollIntoView({{behavior: 'instant'}})")
    x, y = tab.evaluate(
        f"(() => {{ const b = {dots}[0].getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }})()"
    )
    tab.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    tab.evaluate("new Promise((go) => setTimeout(go, 100))")
    said = tab.evaluate("document.querySelector('#vg-tooltip-element').textContent")
    assert "seed" in said and "test MSE" in said and "variant" in said
    # The other test set, by its button.
    tab.evaluate(f"document.querySelectorAll('#{chart} input[type=radio]')[1].click()")
    tab.evaluate("new Promise((go) => setTimeout(go, 100))")
    assert tab.evaluate(places) != first
    # A name in the legend singles its variant out.
    faded = f"{dots}.filter((e) => Number(e.getAttribute('opacity')) < 0.1).length"
    assert tab.evaluate(faded) == 0
    x, y = tab.evaluate(
        f"(() => {{ const b = document.querySelector('#{chart} .role-legend-label text').getBoundingClientRect();"
        " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        tab.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    tab.evaluate("new Promise((go) => setTimeout(go, 100))")
    assert tab.evaluate(faded) == 10
    assert tab.complaints() == []


def test_without_scripts_the_figures_stay(tab: Tab, report: Path) -> None:
    tab.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(report)
        tree = tab.send("DOM.getDocument")["root"]["nodeId"]
        frames = tab.send("DOM.querySelectorAll", nodeId=tree, selector="figure .frame")["nodeIds"]
        assert len(frames) == 5
        for frame in frames:
            assert tab.send("DOM.getBoxModel", nodeId=frame)["model"]["height"] > 50
    finally:
        tab.send("Emulation.setScriptExecutionDisabled", value=False)


def test_it_is_one_small_file(report: Path) -> None:
    assert report.stat().st_size <= 5_000_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_axe_finds_nothing(tab: Tab, report: Path, scheme: str, width: int) -> None:
    """Contrast, labels, headings, tables, landmarks: all rules of axe-core, in both colour schemes."""
    package = find_spec("axe_core_python")
    assert package is not None and package.origin is not None, "axe-core-python is in requirements-dev.in"
    tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    tab.open(report, width=width, phone=width < 500)
    charts_are_there(tab)
    tab.evaluate(Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8") + "; 0")
    found = tab.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then((all) => "
        "all.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`))"
    )
    assert found == []
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 22)"
    assert dark == (scheme == "dark")
    tab.send("Emulation.setEmulatedMedia", features=[])


@pytest.mark.parametrize("width", [320, 390, 768, 1200])
def test_nothing_overflows_sideways(tab: Tab, report: Path, width: int) -> None:
    tab.open(report, width=width, height=800, phone=width < 500)
    charts_are_there(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    boxes = "[...document.querySelectorAll('.scroll')]"
    assert tab.evaluate(f"{boxes}.every((b) => b.getBoundingClientRect().right <= innerWidth)")
    wide = "[...document.querySelectorAll('main :is(p, li, h2, h3, figcaption, figure)')]"
    assert tab.evaluate(f"{wide}.filter((e) => e.getBoundingClientRect().right > innerWidth + 1).length") == 0
    if width == 390:
        assert tab.evaluate(f"{boxes}.some((b) => b.scrollWidth > b.clientWidth)")
