"""Captions, files and errors of figures, and which figures an experiment gets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
import yaml
from fontTools.pens.recordingPen import RecordingPen
from fontTools.ttLib import TTFont
from matplotlib import font_manager
from matplotlib.backends import _backend_pdf_ps

from figure_checks import fresh_environment
from ired.base.errors import UserError
from ired.figures import FIGURES, caption, draw, figure
from ired.figures.toolkit import fonts
from ired.figures.toolkit.output import draw_figures, save
from ired.figures.toolkit.style import RC
from ired.record.schema import DIAGNOSTICS
from ired.report.docs import PAGES, generated
from ired.study.resolve import ResolvedStudy
from synthetic_tables import Tables, make_tables, write_tables


@pytest.fixture(scope="module")
def study() -> Tables:
    return make_tables()


@pytest.mark.parametrize("name", FIGURES)
def test_captions_state_n_interval_and_test(name: str, study: Tables) -> None:
    words = caption(name, study)
    assert ("n = 5" in words or name == "published_table") and "{" not in words
    assert any(kind in words for kind in ("95 %", "range of the seeds", "10 to 90 %", "no intervals"))
    assert "test is made" in words or "t-test" in words or "No test" in words


def test_saving_twice_gives_the_same_bytes(tmp_path: Path, study: Tables) -> None:
    folder = write_tables(study, tmp_path, "laptop", "main")
    for seed in ("1", "2"):
        code = (
            "import sys; from pathlib import Path; from ired.figures.toolkit.output import draw_figures\n"
            "folder, out = map(Path, sys.argv[1:])\n"
            f"draw_figures(['paired_differences', 'energy_gap'], folder, out, processes={seed})"
        )
        command = [sys.executable, "-c", code, str(folder), str(tmp_path / seed)]
        subprocess.run(command, check=True, env=fresh_environment(seed))
    for name in ("paired_differences.png", "paired_differences.svg", "energy_gap.pdf", "energy_gap.svg"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name
    assert b"CreationDate" not in (tmp_path / "1" / "energy_gap.pdf").read_bytes()


def test_a_prefix_may_hold_a_dot(tmp_path: Path, study: Tables) -> None:
    written = save(draw("budget", study), tmp_path / "budget.v2")
    assert [path.name for path in written] == ["budget.v2.pdf", "budget.v2.png", "budget.v2.svg"]


def test_draw_figures_reads_what_the_pipeline_wrote(tmp_path: Path, study: Tables) -> None:
    folder = write_tables(study, tmp_path, "laptop", "main")
    written = draw_figures(
        ["strategy_comparison", "published_reproduced"],
        folder,
        tmp_path / "figures",
        tmp_path / "published" / "published_results.csv",
    )
    assert len(written) == 6 and all(path.stat().st_size > 1000 for path in written)


@pytest.mark.parametrize(
    ("module", "never"),
    [
        # What a plan of the workflow asks for names.
        ("ired.figures, ired.record.schema", {"torch", "pandas", "matplotlib", "scipy"}),
        ("ired.figures.toolkit.output", {"torch", "matplotlib.pyplot", "scipy.stats"}),
    ],
)
def test_figures_import_no_more_than_they_need(module: str, never: set[str]) -> None:
    code = f"import sys, {module}; print(*({never!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=fresh_environment("0")
    )
    assert done.stdout.strip() == ""


def test_a_font_parsed_once_gives_the_outlines_of_the_whole_one_whatever_was_saved_before() -> None:
    path = font_manager.FontPath(font_manager.findfont("DejaVu Sans"), 0)
    whole = TTFont(path)
    letters, glyphs = whole.getBestCmap(), whole.getGlyphSet()

    def embedded(text: str) -> bytes:
        """The font of these letters, after its outlines were seen to be those of the whole font."""
        numbers = {letter: whole.getGlyphID(letters[ord(letter)]) for letter in text}
        with fonts._of_reduced(path, numbers.values()) as found:
            own = found.font.getGlyphSet()
            for letter, number in numbers.items():
                drawn, wanted = RecordingPen(), RecordingPen()
                own[found.font.getGlyphName(found.glyph_index_map[number])].draw(drawn)
                glyphs[letters[ord(letter)]].draw(wanted)
                assert drawn.value == wanted.value, letter
            return bytes(_backend_pdf_ps.font_as_file(found.font).getvalue())

    first = embedded("E(y⁻) − 10⁻⁵ → 1")
    assert embedded("Щ∫") != first  # letters that no figure of the project writes
    assert embedded("E(y⁻) − 10⁻⁵ → 1") == first


def test_text_of_a_saved_figure_is_text_in_a_truetype_font(tmp_path: Path, study: Tables) -> None:
    """Type 42 in the PDF, no Type 3; and letters, not outlines, in an SVG."""
    figure = draw("paired_differences", study)
    pdf = save(figure, tmp_path / "figure")[0].read_bytes()
    assert pdf.count(b"/CIDFontType2") + pdf.count(b"/Subtype /TrueType") >= 2  # regular and bold
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf
    with mpl.rc_context(RC):
        figure.savefig(tmp_path / "figure.svg")
    assert "no difference</text>" in (tmp_path / "figure.svg").read_text()


def test_every_experiment_opens_with_a_figure_of_its_result(repository: Path) -> None:
    values = yaml.safe_load((repository / "config.yaml").read_text())
    study = ResolvedStudy(values, figures=FIGURES)
    first = {name: study.experiments.figures(name)[0] for name in values["experiments"]}
    shows = {"sweep": "sweep", "cd_ablation": "cd_ablation", "released_defects": "compat_2x2"}
    for name, experiment in values["experiments"].items():
        kind = "sweep" if "sweeps" in experiment else name
        assert first[name] == shows.get(kind, "strategy_comparison"), name
        assert {"learning_curves", "paired_differences"} <= {*study.experiments.figures(name)}
    assert "published_reproduced" in study.experiments.figures("strategies")


def test_what_is_not_diagnosed_lists_no_figure_of_diagnostics(repository: Path) -> None:
    experiments = yaml.safe_load((repository / "config.yaml").read_text())["experiments"]
    undiagnosed = [e for e in experiments.values() if not e.get("diagnoses", True)]
    read = {table for e in undiagnosed for name in e["figures"] for table in figure(name).tables}
    assert undiagnosed and not read & set(DIAGNOSTICS)


@pytest.mark.parametrize("page", PAGES)
def test_what_the_docs_say_of_tables_and_figures_is_what_the_code_says(repository: Path, page: str) -> None:
    text = (repository / "docs" / page).read_text()
    assert generated(page, text, repository / "results/shipped") == text, (
        "write it anew with: python -m ired docs"
    )


def test_mistakes_are_told_in_a_line() -> None:
    with pytest.raises(UserError, match="no figure is called 'strategy_comparision'"):
        draw("strategy_comparision", {})
    with pytest.raises(UserError, match="needs the table runs, summary"):
        draw("sweep", {})
