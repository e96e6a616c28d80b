"""Claims that one arm is above another: paired by seed, corrected for their number, as rows and findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.aggregates import holm, paired_p_value
from benchmarks.experiments.frame import Finding, resampling, row, written
from benchmarks.statistics import paired_difference


class Claim(NamedTuple):
    """Two arms that may differ.

    Attributes:
        agent, metric: of the row that holds the difference.
        text: a sentence without its end, in which {verdict} is filled in.
        values, reference: [R] float64, the same seeds.
        note: after the figures.
    """

    agent: str
    metric: str
    text: str
    values: np.ndarray
    reference: np.ndarray
    note: str = ""


def judged(
    experiment: str, place: str, claims: Sequence[Claim], digits: int = 2
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """The differences of all claims, with p-values corrected by Holm for how many there are.

    Shown is what has an interval without 0 and a corrected p-value of at most 5 %. One seed shows nothing:
    there are no rows and no findings then.

    Args:
        experiment, place: of the rows.
        claims: that belong together.
        digits: behind the point.
    """
    if not claims or len(claims[0].values) < 2:
        return [], []
    rows, findings = [], []
    p = holm([paired_p_value(claim.values, claim.reference, resampling()) for claim in claims])
    for claim, corrected in zip(claims, p, strict=True):
        interval = paired_difference(claim.values, claim.reference, resampling())
        shown = bool(corrected <= 0.05 and (interval.low > 0 or interval.high < 0))
        verdict = "is not shown to differ from"
        if shown:
            verdict = "is above" if interval.mean > 0 else "is below"
        one = row(experiment, place, claim.agent, claim.metric, interval)
        rows.append(one | {"p_corrected": float(corrected)})
        figures = f"{written(interval, digits)} (Holm p = {corrected:.3f}){claim.note}"
        findings.append(Finding(f"{claim.text.format(verdict=verdict)}, by {figures}.", shown))
    return rows, findings
