"""Our off-policy estimators agree to 1e-9 with Open Bandit Pipeline and SCOPE-RL; see make_ope_values.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from recsim_env import ope

GOLDEN = json.loads((Path(__file__).with_name("ope_values.json")).read_text())
# SCOPE-RL adds 1e-10 to the mean weight that it divides by.
CLOSE = {"rel": 1e-9, "abs": 0}


def arrays(library: str, group: str) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    part = GOLDEN[library][group]
    return {name: np.asarray(values) for name, values in part["inputs"].items()}, part["values"]


def our_decisions() -> dict[str, ope.Estimate]:
    data, _ = arrays("obp", "decisions")
    action, target = data["action"], data["target_probs"]
    log = ope.LoggedDecisions.from_probs(data["reward"], action, data["logging_probs"], target)
    predicted = ope.PredictedRewards.from_table(data["q_hat"], action, target)
    options = {
        "clipped_ips": {"max_weight": 1.5},
        "switch_dr": {"max_weight": 1.5},
        "dr_shrinkage": {"shrinkage": 2.0},
    }
    rows = ope.evaluate(log, predicted, options=options)
    propensity = [
        ope.embedding_propensity(probs, data["embedding"], np.moveaxis(data["embedding_probs"], 1, 2))
        for probs in (data["logging_probs"], target)
    ]
    rows.append(ope.mips(log, *propensity))
    # Intercept, context, and the action's indicator, whose columns are linearly dependent as theirs are.
    n, N = target.shape
    shared = np.column_stack([np.ones(n), data["context"]])
    features = [np.column_stack([shared, part]) for part in (np.eye(N)[action], target)]
    rows.append(ope.mrdr(log, *features, folds=1))
    return {row.estimator: row for row in rows}


def our_slates() -> dict[str, ope.Estimate]:
    data, _ = arrays("obp", "slates")
    picked = data["action"][:, :, None]
    logging, target = (
        np.take_along_axis(data[name], picked, axis=2)[:, :, 0] for name in ("logging_probs", "target_probs")
    )
    prefix = ope.SlatePropensity(logging.cumprod(axis=1), target.cumprod(axis=1))
    log = ope.LoggedSlates(
        data["reward"],
        slate=ope.SlatePropensity(prefix.logging[:, -1], prefix.target[:, -1]),
        item=ope.SlatePropensity(logging, target),
        prefix=prefix,
    )
    q_logged = np.take_along_axis(data["q_hat"], picked, axis=2)[:, :, 0]
    q_target = (data["q_hat"] * data["target_probs"]).sum(axis=2)
    rows = [*ope.evaluate(log), ope.cascade_dr(log, q_logged, q_target)]
    return {row.estimator: row for row in rows}


def our_sessions() -> dict[str, ope.Estimate]:
    data, _ = arrays("scope_rl", "sessions")
    n = len(data["action"])
    row = np.arange(n)
    log = ope.LoggedSessions(
        row // (n // int(data["num_sessions"])),
        data["reward"],
        data["logging_probs"][row, data["action"]],
        data["target_probs"][row, data["action"]],
        float(data["discount"]),
    )
    predicted = ope.PredictedValues.from_table(data["q_hat"], data["action"], data["target_probs"])
    rows = [*ope.evaluate(log, predicted), ope.marginal_is(log, data["state_action_ratio"])]
    return {row.estimator: row for row in rows}


GROUPS = {
    ("obp", "decisions"): our_decisions,
    ("obp", "slates"): our_slates,
    ("scope_rl", "sessions"): our_sessions,
}


@pytest.mark.parametrize(
    ("library", "group", "estimator"),
    [(*key, estimator) for key in GROUPS for estimator in GOLDEN[key[0]][key[1]]["values"]],
)
def test_ours_is_theirs(library, group, estimator):
    ours = GROUPS[library, group]()[estimator].value
    assert ours == pytest.approx(GOLDEN[library][group]["values"][estimator], **CLOSE)


def test_every_estimator_of_the_tables_is_compared():
    """FQE is not: SCOPE-RL fits it with neural networks."""
    assert all(set(ours()) == set(GOLDEN[key[0]][key[1]]["values"]) for key, ours in GROUPS.items())
