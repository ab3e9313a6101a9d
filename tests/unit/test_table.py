"""A table as a declared thing: what is written is read back, and anything else is one clear line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ired.record.read import FileFault
from ired.record.table import Column, Table

TABLE = Table(
    "toy",
    "One row per thing.",
    (
        Column("name", "word"),
        Column("count", "integer"),
        Column("size", "number"),
        Column("good", "flag"),
    ),
)
ROWS = pd.DataFrame(
    {"size": [0.1 + 0.2, np.nan], "name": ["0.10", "none"], "good": [True, False], "count": [3, np.nan]}
)
TEXT = "name,count,size,good\n0.10,3,0.30000000000000004,True\nnone,,,False\n"


def test_a_table_is_written_in_its_order_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "toy.csv"
    TABLE.write(ROWS, path)
    assert path.read_text() == TEXT
    read = TABLE.read(path)
    assert tuple(read.columns) == TABLE.names and read["name"].tolist() == ["0.10", "none"]
    assert read["size"].iloc[0] == 0.1 + 0.2 and read["good"].tolist() == [True, False]
    TABLE.write([], path)
    assert TABLE.read(path).empty and path.read_text() == "name,count,size,good\n"


@pytest.mark.parametrize("rows", [ROWS.drop(columns="size"), ROWS.rename(columns={"size": "sise"})])
def test_a_writer_that_misspells_a_column_is_told(rows: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="table toy: lacks \\['size'\\]"):
        TABLE.write(rows, tmp_path / "toy.csv")
    with pytest.raises(ValueError, match="does not know \\['more'\\]"):
        TABLE.frame(ROWS.assign(more=1))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TEXT[:-4], "cut off within a line"),
        ("", "empty"),
        ("\xff\n", "not valid CSV"),
        (TEXT.replace("size", "sise"), "without the column size"),
        (TEXT.replace("good", "good,more"), "with the unknown column|not valid CSV|True or False|without"),
        (
            TEXT.replace("name,", "extra,name,").replace("0.10", "x,0.10").replace("none", "x,none"),
            "column extra",
        ),
        (TEXT.replace(",3,", ",three,"), "column count is not numeric"),
        (TEXT.replace(",3,", ",3.5,"), "column count has a number that is not whole"),
        (TEXT.replace("True", "yes"), "column good is not True or False"),
    ],
)
def test_a_file_that_is_not_the_table_is_one_line(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "toy.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(FileFault, match=reason) as caught:
        TABLE.read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(FileFault, match=r"toy.csv is missing; ask Snakemake"):
        TABLE.read(path)
