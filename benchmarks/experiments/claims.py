"""Claims that one arm is above another in any metric, as sentences: rows and findings of `paired`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.experiments.frame import Finding, written
from benchmarks.experiments.paired import differences


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

    One seed shows nothing: there are no rows and no findings then.

    Args:
        experiment, place: of the rows.
        claims: that belong together.
        digits: behind the point.
    """
    if not claims or len(claims[0].values) < 2:
        return [], []
    rows, findings = [], []
    found = differences([(claim.values, claim.reference) for claim in claims])
    for claim, difference in zip(claims, found, strict=True):
        verdict = "is not shown to differ from"
        if difference.shown:
            verdict = "is above" if difference.interval.mean > 0 else "is below"
        rows.append(difference.row(experiment, place, claim.agent, claim.metric))
        figures = f"{written(difference.interval, digits)} (Holm p = {difference.p:.3f}){claim.note}"
        findings.append(Finding(f"{claim.text.format(verdict=verdict)}, by {figures}.", difference.shown))
    return rows, findings
