"""Numbers as people read them: significant digits, percent, short lists."""

from __future__ import annotations

import math
from collections.abc import Sequence

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MINUS = "−"


def number(value: float) -> str:
    """Three significant digits: 0.00969, 1,230, 4.56 × 10¹²; "unknown" for NaN."""
    if not math.isfinite(value):
        return "unknown"
    if value and not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}".replace("-", MINUS)
    digits = 2 - math.floor(math.log10(abs(float(f"{value:.2e}")))) if value else 0
    return f"{round(value, digits):,.{max(digits, 0)}f}".replace("-", MINUS)


def with_interval(mean: float, low: float, high: float) -> tuple[str, str, str]:
    """A mean and the ends of its interval with as many decimals as the interval supports.

    One or two digits of the half-width, by the Particle Data Group's rule (Review of Particle Physics,
    "Rounding"): 1.0831, 1.0760, 1.0902 -> 1.083, 1.076, 1.090. Without a finite interval three significant
    digits each.
    """
    half, largest = (high - low) / 2, max(abs(mean), abs(low), abs(high))
    if not (math.isfinite(half) and half > 1e-6 * largest and 1e-6 <= largest < 1e6):
        return number(mean), number(low), number(high)
    decimals = max(math.floor(math.log10(35.5 / half)), 0)
    first, second, third = (
        f"{round(value, decimals) + 0.0:,.{decimals}f}".replace("-", MINUS) for value in (mean, low, high)
    )
    return first, second, third


def percent(share: float, signed: bool = False) -> str:
    """A share as percent with three significant digits: 0.0087 -> 0.870 %, signed +0.870 %. A loss of nearly all has
    as many as show what is left: -0.99977 -> −99.977 %."""
    if not math.isfinite(share):
        return "unknown"
    text = number(100 * share)
    if -1 < share < -0.9995:
        decimals = 1 - math.floor(math.log10(100 * (1 + share)))
        text = f"{100 * share:.{decimals}f}".replace("-", MINUS)
    return f"{'+' if signed and share > 0 else ''}{text} %"


def plain_percent(share: float) -> str:
    """A number that somebody chose, without padding: 0.05 -> 5 %."""
    return f"{100 * share:g} %"


def p_value(p: float) -> str:
    """ "p = 0.018", or "p < 0.0001": smaller ones say more about the normal tail than about the data."""
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def p_cell(p: float) -> str:
    """The same under a heading that says p: "0.018", "< 0.0001"; nothing for a test that could not be made."""
    return "" if p != p else p_value(p).removeprefix("p ").removeprefix("= ")


def count(amount: int, singular: str, plural: str | None = None) -> str:
    """ "1 pair", "3 pairs"."""
    return f"{amount:,} {singular if amount == 1 else plural or singular + 's'}"


def listed(names: Sequence[str], longest: int = 5) -> str:
    """ "a", "a and b", "a, b and c", "a, b, c, d and 7 more"."""
    shown = (
        list(names) if len(names) <= longest else [*names[: longest - 1], f"{len(names) - longest + 1} more"]
    )
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
