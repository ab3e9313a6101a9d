"""Verdicts and sentences that cannot say more than their test does; made from table rows alone.

verdicts   one contrast: its verdict, and the sentence that carries it; the nominee of a sweep
effects    all levels of a sweep together
line       where the variants stand to the line of the predictor to beat
live       how many of its negatives a contrast still learns from
headline   the plain answer, equal compute, and the sentences that open a report
messages   what a figure says, in the line that is its title
worth      what a negative is worth: the study of compute multipliers

Must not import torch, statistics or figures: words know numbers, not where they come from.
"""

from ired.sentences.effects import effect_sentence, effect_verdict
from ired.sentences.headline import compute_sentence, headline
from ired.sentences.line import line_sentence, line_standing
from ired.sentences.live import live_sentence
from ired.sentences.verdicts import VERDICTS, contrast_sentence, nomination_sentence, verdict
from ired.sentences.worth import equal_rates_sentence, worth_headline

__all__ = [
    "VERDICTS",
    "compute_sentence",
    "contrast_sentence",
    "effect_sentence",
    "effect_verdict",
    "equal_rates_sentence",
    "headline",
    "line_sentence",
    "line_standing",
    "live_sentence",
    "nomination_sentence",
    "verdict",
    "worth_headline",
]
