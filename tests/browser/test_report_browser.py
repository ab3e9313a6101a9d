"""The report as a reader meets it, in a real browser: pictures, sorting by mouse and keys, paper, phone."""

from __future__ import annotations

from collections.abc import Iterator
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


def test_it_prints(tab: Tab, report: Path) -> None:
    tab.open(report)
    printed = tab.pdf()
    assert printed.startswith(b"%PDF-") and printed.count(b"/Type /Page\n") >= 3
    assert tab.complaints() == []


@pytest.mark.parametrize("width", [320, 380, 768, 1200])
def test_nothing_overflows_sideways(tab: Tab, report: Path, width: int) -> None:
    tab.open(report, width=width, height=800, phone=width < 500)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    boxes = "[...document.querySelectorAll('.scroll')]"
    assert tab.evaluate(f"{boxes}.every((b) => b.getBoundingClientRect().right <= innerWidth)")
    wide = "[...document.querySelectorAll('main :is(p, li, h2, h3, figcaption, figure)')]"
    assert tab.evaluate(f"{wide}.filter((e) => e.getBoundingClientRect().right > innerWidth + 1).length") == 0
    if width == 380:
        assert tab.evaluate(f"{boxes}.some((b) => b.scrollWidth > b.clientWidth)")
