"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from ired.base.format_numbers import number, with_interval


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00969245, "0.00969"),
        (0.0999999, "0.100"),
        (1234.5, "1,230"),
        (999.9, "1,000"),
        (-0.5, "−0.500"),
        (0, "0"),
        (8.5e-5, "8.50 × 10⁻⁵"),
        (4.5612e12, "4.56 × 10¹²"),
        (math.nan, "unknown"),
    ],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((0.025883, 0.024309, 0.027456), ("0.0259", "0.0243", "0.0275")),  # half-width 0.00157: two digits
        ((0.027371, 0.026422, 0.028320), ("0.0274", "0.0264", "0.0283")),  # 0.00095: rounds to two of them
        ((1.0831, 1.0760, 1.0902), ("1.083", "1.076", "1.090")),  # 0.0071: one, and the last zero stays
        ((0.00951234, 0.0095111, 0.0095136), ("0.0095123", "0.0095111", "0.0095136")),  # 0.00000125: two
        ((0.0271, -0.0464, 0.1006), ("0.03", "−0.05", "0.10")),
        ((-0.0001, -0.02, 0.0198), ("0.000", "−0.020", "0.020")),  # no minus before nothing
        ((3056.0, 3000.0, 3112.0), ("3,056", "3,000", "3,112")),
        ((0.0271, math.nan, math.nan), ("0.0271", "unknown", "unknown")),
        ((0.5, 0.5, 0.5), ("0.500", "0.500", "0.500")),
    ],
)
def test_an_interval_decides_on_the_decimals(values: tuple[float, ...], texts: tuple[str, ...]) -> None:
    assert with_interval(*values) == texts
