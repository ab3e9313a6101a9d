"""Render the page: sections with pictures and tables into one HTML file that asks the network for nothing."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ired.base.errors import UserError
from ired.base.files import write_text
from ired.base.format_numbers import count
from ired.report.tables import Table

FULL_POINTS = 504  # of a two-column figure: 7 inches
FULL_WIDTH = 860  # CSS pixels of such a figure: its 7 pt text is then read as 12 px
SIZE = re.compile(r'<svg [^>]*?\bwidth="([\d.]+)pt" height="([\d.]+)pt"')


@dataclass(frozen=True)
class Picture:
    """A figure of the page: an SVG file, its title, its caption, and words for those who cannot see it.

    `files`: what it links to, as a label and a path. `chart`: the Vega-Lite specification that takes the figure's
    place where scripts run.
    """

    name: str
    title: str
    path: Path
    caption: str
    alt: str = ""
    files: Sequence[tuple[str, Path]] = ()
    chart: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Section:
    """One experiment (or another chapter): sentences, pictures, tables. `question`: what it asks, below its
    title. `absent`: titles of figures that have nothing to show."""

    title: str
    sentences: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    question: str = ""
    absent: Sequence[str] = ()

    @property
    def anchor(self) -> str:
        """The title as an address within the page."""
        return slug(self.title)


def render(
    out: Path,
    scale: str,
    sections: Sequence[Section],
    headline: Sequence[str],
    config: Mapping[str, Any],
    provenance: Mapping[str, Any],
    workflow_svg: str | None = None,
    fingerprints: Table | None = None,
    config_note: str = "",
) -> Path:
    """Write the page to `out` and return it.

    `headline`: the plain answer, then the sentences with numbers. `config`: what is shown of the configuration; the
    page's head names the task of its runs. `workflow_svg`: the workflow graph as SVG, or as text (then shown as it
    is). `fingerprints`: of the runs, and `config_note` what they say of the configuration.

    Raises:
        UserError: a picture is missing or is not an SVG of this project, or `out` cannot be written.
    """
    if any(picture.chart for section in sections for picture in section.pictures):
        from ired.report.charts import runtime

        vega = Markup(runtime())
    else:
        vega = Markup()
    environment = Environment(
        loader=PackageLoader("ired.report", "."), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals |= {"embed": embed, "slug": slug, "specification": specification}
    environment.globals["beside"] = lambda path: Path(os.path.relpath(path, out.parent)).as_posix()
    environment.filters["tied"] = tied
    page = environment.get_template("report.html.j2").render(
        scale=scale,
        task=config.get("runs", {}).get("problem", {}).get("task", ""),
        sections=sections,
        answer=headline[0] if headline else "",
        headline=list(headline[1:]),
        config=json.dumps(config, indent=2, ensure_ascii=False, default=str),
        provenance=flatten(provenance),
        workflow=workflow_picture(workflow_svg),
        fingerprints=fingerprints,
        config_note=config_note,
        vega=vega,
        style=_own("report.css"),
        script=_own("report.js"),
    )
    write_text(out, page)
    return out


def _own(name: str) -> Markup:
    """A file of this package, trusted and hence not escaped."""
    return Markup((Path(__file__).parent / name).read_text(encoding="utf-8"))


def tied(text: str) -> str:
    """No line break within `n = 5`, `p < 0.001` and `95 %`."""
    return re.sub(r"(?<=\d) (?=%)|(?<=\b[np]) (?=[=<] )|(?<=\b[np] [=<]) (?=\d)", "\u00a0", text)


def slug(text: str) -> str:
    """Lower-case words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"


def embed(picture: Picture) -> dict[str, Any]:
    """The picture as a data address with its size in CSS pixels, so that the page does not jump.

    Raises:
        UserError: the file is missing or is not an SVG of a known size.
    """
    try:
        content = picture.path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{picture.path} is missing; ask Snakemake for this path to make it") from None
    size = SIZE.search(content[:3000].decode("utf-8", "replace"))
    if size is None:
        raise UserError(f"{picture.path} is not an SVG with a size; delete it and ask for it again")
    width, height = (float(points) for points in size.groups())
    scale = FULL_WIDTH / FULL_POINTS
    return {
        "src": f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}",
        "width": round(width * scale),
        "height": round(height * scale),
        "share": round(min(1.0, width / FULL_POINTS), 3),  # of a full width, on windows that a figure exceeds
    }


def specification(chart: Mapping[str, Any]) -> Markup:
    """A chart as the content of a script element, which no text of it can close."""
    return Markup(
        json.dumps(chart, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    )


def workflow_picture(graph: str | None) -> dict[str, str] | None:
    """An SVG as an image (its styles and scripts then stay inside), anything else as text."""
    if not graph:
        return None
    if "<svg" in graph[:2000]:
        encoded = base64.b64encode(graph.encode()).decode()
        return {"src": f"data:image/svg+xml;base64,{encoded}", "text": ""}
    return {"src": "", "text": graph}


def _counted(item: Any) -> bool:
    """Whether it is a value with the number of runs that have it."""
    return isinstance(item, Mapping) and set(item) == {"runs", "value"}


def flatten(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested provenance as (dotted key, text) rows."""
    if isinstance(value, Mapping) and value:
        return [
            row
            for key, item in value.items()
            for row in flatten(item, f"{prefix}.{key}" if prefix else str(key))
        ]
    if isinstance(value, (list, tuple)) and value and all(_counted(item) for item in value):
        if len(value) == 1:  # all runs agree: nothing to count
            return flatten(value[0]["value"], prefix)
        return [
            row
            for item in value
            for row in flatten(item["value"], f"{prefix} ({count(item['runs'], 'run')})")
        ]
    if isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
        return [row for k, item in enumerate(value, 1) for row in flatten(item, f"{prefix}.{k}")]
    if isinstance(value, (list, tuple)):
        return [(prefix, ", ".join(str(item) for item in value) or "none")]
    words = {None: "unknown", True: "yes", False: "no"}
    return [(prefix, words[value] if value is None or isinstance(value, bool) else str(value))]
