"""Verdicts and sentences that cannot say more than their test does; made from table rows alone.

verdicts   one contrast: its verdict, and the sentence that carries it; the nominee of a sweep
affine     where the variants stand to the affine reference line
headline   equal compute, and the three sentences that open a report
"""

from ired.sentences.affine import affine_sentence, affine_standing
from ired.sentences.headline import compute_sentence, headline
from ired.sentences.verdicts import VERDICTS, contrast_sentence, nomination_sentence, verdict

__all__ = [
    "VERDICTS",
    "affine_sentence",
    "affine_standing",
    "compute_sentence",
    "contrast_sentence",
    "headline",
    "nomination_sentence",
    "verdict",
]
