"""How many of its negatives a contrast still learns from, in words."""

from __future__ import annotations

import pandas as pd

from ired.base.format_numbers import listed, plain_percent


def shares_at_the_end(profile: pd.DataFrame, column: str) -> dict[str, float]:
    """Of each variant that has one, a share of energy_profile.csv at the end of training: the mean over seeds and noise
    levels."""
    at_the_end = profile[profile["phase"] == profile["phase"].max()]
    shares = at_the_end.groupby("variant", sort=False)[column].mean()
    return {str(variant): float(share) for variant, share in shares.dropna().items()}


def live_shares(profile: pd.DataFrame) -> dict[str, float]:
    """Of each variant with a softplus, the share of live negatives (slope of at least 0.01) at the end of training: the
    mean over seeds and noise levels of energy_profile.csv."""
    return {variant: 1 - share for variant, share in shares_at_the_end(profile, "saturation_share").items()}


def live_sentence(profile: pd.DataFrame) -> str:
    """What a comparison of strategies has to be read with; empty where no contrast has a softplus."""
    shares = live_shares(profile)
    if not shares:
        return ""
    each = listed([f"{plain_percent(round(share, 2))} ({variant})" for variant, share in shares.items()])
    return (
        f"Of the negatives, {each} are live at the end of training (softplus slope of at least 0.01, mean over noise "
        "levels); from the others nothing is learned."
    )
