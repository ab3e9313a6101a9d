"""The report as a document: what it opens with, that it holds everything and asks the network for nothing."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ired.base.errors import UserError
from ired.figures.toolkit.output import draw_figures
from ired.record.schema import TABLES
from ired.report import Picture, Section, charts, render
from ired.report.build import experiment_tables, shared_provenance
from ired.report.render import flatten, specification, tied
from ired.report.tables import interval, mean, p, real, share
from synthetic_report import EXPERIMENTS, HEADLINE, build_report
from synthetic_tables import make_tables

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Tags with their attributes, the text, and whether every tag that opens also closes."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("style", "script"):
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module", autouse=True)
def no_runtime() -> Iterator[None]:
    """To bundle Vega takes seconds; tests in a browser do it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charts, "runtime", lambda: "// the runtime")
        yield


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    build_report(folder)
    return folder


@pytest.fixture
def copied(results: Path, tmp_path: Path) -> Path:
    """The study again, to be changed; to draw it anew would take seconds."""
    return shutil.copytree(results, tmp_path / "results")


@pytest.fixture(scope="module")
def source(results: Path) -> str:
    return (results / "laptop" / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_it_opens_with_the_answer(page: Page) -> None:
    places = [page.text.index(sentence) for sentence in HEADLINE]
    assert places == sorted(places)
    assert places[-1] < page.text.index("Test error in distribution: ")
    assert f"Do harder negatives help? {HEADLINE[0]} " in page.text  # nothing between title and answer
    assert page.text.count("How many descent steps should mine a negative?") == 1


def test_a_sweep_says_what_was_nominated_and_how_it_was_judged(page: Page) -> None:
    assert page.text.count("had the lowest validation MSE on seed 0 ") == 1
    assert page.text.count("judged on seeds 1 and 2, which had no say in that") == 1


def test_every_figure_has_a_picture_a_caption_and_words_for_it(page: Page) -> None:
    images = page.all("img")
    assert len(images) == sum(map(len, EXPERIMENTS.values())) + 1  # the workflow graph
    assert all(len(image["alt"] or "") > 15 for image in images)
    assert all(int(image["width"] or 0) > 300 for image in images[:-1])
    assert len(page.all("figcaption")) == len(page.all("figure")) == len(images) - 1
    assert "n = 5 seeds per variant" in page.text


def test_it_asks_the_network_for_nothing(page: Page, source: str) -> None:
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            address = attributes.get(name) or ""
            assert re.match(r"data:|#|$", address) or not re.search(r"^//|^[a-z]+:", address), address
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", source.split("<body>")[0])
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in (policy or "")


def test_tables_are_accessible_and_sortable(page: Page) -> None:
    headings = [th for th in page.all("th") if th.get("scope") == "col"]
    assert headings and all(th["aria-sort"] == "none" for th in headings)
    assert len(page.all("button")) == len(headings)
    assert all(th.get("scope") in ("row", "col") for th in page.all("th"))
    assert all(re.fullmatch(r"[^<]*", td.get("data-sort") or "") for td in page.all("td"))
    boxes = [
        div for div in page.all("div") if (div.get("class") or "").split()[:1] in (["scroll"], ["frame"])
    ]
    assert all(div["tabindex"] == "0" and div["role"] == "region" for div in boxes)


def test_anchors_exist_once_and_are_reached(page: Page) -> None:
    names = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(names) == len(set(names))
    targets = [link["href"] or "" for link in page.all("a") if (link["href"] or "").startswith("#")]
    assert {target.removeprefix("#") for target in targets} <= set(names)
    assert {"main", "opt-steps", "configuration", "provenance", "workflow"} <= set(names)


def test_it_shows_configuration_provenance_and_workflow(page: Page) -> None:
    assert '"batch_size": 256' in page.text
    assert "0123456789abcdef" in page.text and "packages.torch" in page.text
    assert page.all("img")[-1]["src"].startswith("data:image/svg+xml")  # type: ignore[union-attr]


def test_text_is_escaped(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    render(
        out,
        "laptop",
        [Section("<b>x</b>", ["1 < 2 & 3"])],
        ["<script>alert(1)</script>"],
        {"a": "</pre>"},
        {},
    )
    parsed = Page(out.read_text(encoding="utf-8"))
    assert (
        "<script>alert(1)</script>" in parsed.text and "1 < 2 & 3" in parsed.text and "</pre>" in parsed.text
    )
    assert len(parsed.all("script")) == 1


def test_every_figure_links_to_its_pdf_and_to_its_tables(page: Page, results: Path) -> None:
    links = [str(a["href"]) for a in page.all("a") if not str(a["href"]).startswith("#")]
    files = [(results / "laptop" / link).resolve() for link in links]
    assert all(path.is_file() for path in files), files
    pdfs = [path.stem for path in files if path.suffix == ".pdf"]
    assert pdfs == [name for names in EXPERIMENTS.values() for name in names]
    tables = {path.name for path in files if path.suffix == ".csv"}
    assert {"runs.csv", "summary.csv", "contrasts.csv", "energy_profile.csv"} == tables
    assert len({a.get("aria-label") for a in page.all("a") if a.get("aria-label")}) == len(links)


def test_charts_stand_beside_their_figures_and_hold_their_runs(page: Page, source: str) -> None:
    found = re.findall(r'<script type="application/json" class="specification">(.*?)</script>', source)
    drawn = [name for names in EXPERIMENTS.values() for name in names if name in charts.CHARTS]
    assert len(found) == len(drawn) == 3
    first = json.loads(found[0])
    rows = first["layer"][-1]["data"]["values"]
    runs = make_tables()["runs"]
    shown = {(r["variant"], r["seed"]): r["value"] for r in rows if r["metric"] == "mse_id"}
    finished = runs.dropna(subset=["mse_id"]).set_index(["variant", "seed"])["mse_id"]
    assert shown == pytest.approx(finished.to_dict(), rel=1e-5)
    assert source.count("// the runtime") == 1


def test_a_chart_of_one_test_set_has_no_hole_where_the_other_would_be() -> None:
    """Every run lost its second test set: an expression that holds `nan` would not be one."""
    tables = make_tables()
    tables = {**tables, "runs": tables["runs"].assign(mse_ood=math.nan)}
    assert "nan" not in json.dumps(charts.chart("strategy_comparison", tables)).lower()


def test_a_chart_says_what_its_tables_say() -> None:
    tables = make_tables()
    runs, contrasts = tables["runs"].set_index(["variant", "seed"]), tables["contrasts"]
    layers = charts.chart("paired_differences", tables)["layer"]
    points = {(r["contrast"], r["metric"], r["seed"]): r["difference"] for r in layers[1]["data"]["values"]}
    row = contrasts[contrasts["metric"] == "mse_id"].iloc[0]
    for seed in (0, 1):
        change = runs.loc[(row["treatment"], seed), "mse_id"] - runs.loc[(row["baseline"], seed), "mse_id"]
        shown = points[f"{row['treatment']} − {row['baseline']}", "mse_id", seed]
        assert shown == pytest.approx(100 * change / row["baseline_mean"], rel=1e-4)
    curves = charts.chart("learning_curves", tables)
    options = next(p["bind"]["options"] for p in curves["params"] if p["name"] == "chosen_axis")
    assert options == ["step", "madds", "seconds"]
    assert charts.chart("error_sizes", tables) is None
    tables["learning_curves"]["mse_validation"] = float("nan")
    assert charts.chart("learning_curves", tables) is None


def test_a_chart_cannot_close_its_script() -> None:
    assert "</script" not in specification({"text": "</script><script>alert(1)"})
    assert json.loads(specification({"text": "<b>"})) == {"text": "<b>"}


@pytest.mark.parametrize(("compared", "words"), [(True, "and agreed"), (False, "were not compared")])
def test_it_states_the_fingerprints_of_its_runs(results: Path, compared: bool, words: str) -> None:
    text = Page(build_report(results, prepare=False, compared=compared).read_text(encoding="utf-8")).text
    assert words in text.split("Configuration")[-1]
    for fingerprint in make_tables()["runs"]["fingerprint"]:
        assert fingerprint in text


def test_a_figure_without_rows_is_named_and_not_drawn(copied: Path) -> None:
    folder = copied / "laptop/tables/main"
    profile = folder / "energy_profile.csv"
    profile.write_text(profile.read_text().splitlines(keepends=True)[0])
    draw_figures(["energy_gap"], folder, copied / "laptop/figures/main")
    text = Page(build_report(copied, prepare=False).read_text(encoding="utf-8")).text
    assert "Not measured here, so not drawn: Energy gap and misranked negatives." in text


def test_what_the_page_opened_with_is_not_said_again(copied: Path) -> None:
    contrasts = TABLES["contrasts"].read(copied / "laptop/tables/main/contrasts.csv")
    said = contrasts[contrasts["primary"]]["sentence"].iloc[0]
    opened = ["Undecided.", f"{said.removesuffix('.')}; of 3 further contrasts, 3 undecided."]
    text = Page(build_report(copied, prepare=False, headline=opened).read_text(encoding="utf-8")).text
    assert text.count(" ".join(tied(said.removesuffix(".")).split())) == 1


def test_a_missing_or_broken_picture_is_told(tmp_path: Path) -> None:
    picture = Picture("budget", "Budget", tmp_path / "budget.svg", "caption")
    with pytest.raises(UserError, match=r"budget\.svg is missing"):
        render(tmp_path / "report.html", "laptop", [Section("main", pictures=[picture])], [], {}, {})
    picture.path.write_bytes(b"not a picture")
    with pytest.raises(UserError, match="is not an SVG"):
        render(tmp_path / "report.html", "laptop", [Section("main", pictures=[picture])], [], {}, {})
    assert not (tmp_path / "report.html").exists()


def test_a_missing_table_is_told(copied: Path) -> None:
    shutil.rmtree(copied / "laptop" / "tables" / "main")
    with pytest.raises(UserError, match=r"tables/main/\w+\.csv is missing"):
        build_report(copied, prepare=False)


def test_building_twice_gives_the_same_bytes(copied: Path) -> None:
    first = build_report(copied, prepare=False).read_bytes()
    assert build_report(copied, prepare=False).read_bytes() == first


def test_cells() -> None:
    assert (real(0.0305).text, real(0.0305).sort) == ("0.0305", 0.0305)
    assert real(float("nan")).text == "–" and real(float("nan")).sort == ""
    assert (mean((0.1, 0.09, 0.11)).text, mean((0.1, 0.09, 0.11)).sort) == ("0.100", 0.1)
    assert mean((0.1234, float("nan"), float("nan"))).text == "0.123"
    assert interval((0.09, 0.11, 0.1)).text == "0.090 to 0.110" and interval((0.09, 0.11, 0.1)).sort == 0.09
    assert interval((float("nan"), float("nan"), 0.1)).text == "–"
    assert share(-0.0087).text == "−0.870 %"
    assert (p(0.00001).text, p(0.018).text) == ("< 0.0001", "0.018")


def test_empty_columns_are_left_out() -> None:
    tables = make_tables()
    tables["runs"]["train_seconds"] = float("nan")
    headings = {table.title: table.headings for table in experiment_tables(tables)}
    assert "train seconds" not in headings["Runs"] and "seed" in headings["Runs"]
    assert "Paired contrasts" not in {t.title for t in experiment_tables({"contrasts": pd.DataFrame()})}


def test_no_line_breaks_between_a_number_and_what_it_belongs_to() -> None:
    assert tied("n = 5 pairs, p < 0.001, 95 % interval") == (
        "n\u00a0=\u00a05 pairs, p\u00a0<\u00a00.001, 95\u00a0% interval"
    )


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        ({"a": {"b": 1, "c": None}}, [("a.b", "1"), ("a.c", "unknown")]),
        ({"a": [{"b": True}, {"b": False}]}, [("a.1.b", "yes"), ("a.2.b", "no")]),
        ({"a": ["x", "y"], "z": []}, [("a", "x, y"), ("z", "none")]),
        ({"git": [{"runs": 6, "value": {"commit": "f"}}]}, [("git.commit", "f")]),
        (
            {"host": [{"runs": 1, "value": "a"}, {"runs": 5, "value": "b"}]},
            [("host (1 run)", "a"), ("host (5 runs)", "b")],
        ),
    ],
)
def test_provenance_becomes_rows(value: dict[str, Any], rows: list[tuple[str, str]]) -> None:
    assert flatten(value) == rows


def test_what_experiments_share_is_said_once() -> None:
    facts = {"one": {"commit": "a", "seconds": 1}, "two": {"commit": "a", "seconds": 2}}
    assert shared_provenance(facts) == {"commit": "a", "one": {"seconds": 1}, "two": {"seconds": 2}}
    assert shared_provenance({"one": {"commit": "a"}}) == {"commit": "a"}
    assert json.dumps(shared_provenance({})) == "{}"
