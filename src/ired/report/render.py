"""Render the page: sections with pictures and tables into one HTML file that asks the network for nothing."""

from __future__ import annotations

import base64
import json
import re
import struct
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

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
FULL_PIXELS = 1400  # of a two-column figure: 7 inches at 200 dots
FULL_WIDTH = 860  # CSS pixels of such a figure: its 7 pt text is then read as 9 px


@dataclass(frozen=True)
class Picture:
    """A figure of the page: a PNG file, its title, its caption, and words for those who cannot see it."""

    name: str
    title: str
    path: Path
    caption: str
    alt: str = ""


@dataclass(frozen=True)
class Section:
    """One experiment (or another chapter): sentences, pictures, tables. `question`: what it asks, below its
    title."""

    title: str
    sentences: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    question: str = ""

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
) -> Path:
    """Write the page to `out` and return it.

    `headline`: the answer, the sentences that the page opens with. `config`: what is shown of the configuration; the
    page's head names the task of its runs. `workflow_svg`: the workflow graph as SVG,
    or as text (then shown as it is).

    Raises:
        UserError: a picture is missing or is not a PNG, or `out` cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("ired.report", "."), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals |= {"embed": embed, "slug": slug}
    environment.filters["tied"] = tied
    page = environment.get_template("report.html.j2").render(
        scale=scale,
        task=config.get("runs", {}).get("problem", {}).get("task", ""),
        sections=sections,
        headline=list(headline),
        config=json.dumps(config, indent=2, ensure_ascii=False, default=str),
        provenance=flatten(provenance),
        workflow=workflow_picture(workflow_svg),
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
        UserError: the file is missing or is not a PNG.
    """
    try:
        content = picture.path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{picture.path} is missing; ask Snakemake for this path to make it") from None
    if not content.startswith(PNG_SIGNATURE) or len(content) < 24:
        raise UserError(f"{picture.path} is not a PNG; delete it and ask for it again")
    width, height = struct.unpack(">II", content[16:24])
    scale = min(1.0, FULL_WIDTH / FULL_PIXELS)
    return {
        "src": f"data:image/png;base64,{base64.b64encode(content).decode()}",
        "width": round(width * scale),
        "height": round(height * scale),
        "share": round(min(1.0, width / FULL_PIXELS), 3),  # of a full width, on windows that a figure exceeds
    }


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
