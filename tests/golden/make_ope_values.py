"""Golden values of off-policy estimators, made by the libraries that people compare with.

Open Bandit Pipeline (obp) and SCOPE-RL pin libraries that conflict with ours and with one another, so each
runs in an environment of its own, and this script imports nothing of the project. `ope_values.json` comes of

    python3.10 -m venv obp && obp/bin/pip install obp==0.5.7 "matplotlib<3.7"
    obp/bin/python tests/golden/make_ope_values.py obp

    python3.11 -m venv scope && scope/bin/pip install torch==2.13.0 "numpy<2" "scikit-learn<1.6"
    scope/bin/pip install pandas seaborn gymnasium==1.0.0 tqdm structlog colorama h5py click dataclasses-json
    scope/bin/pip install "setuptools<66" wheel
    scope/bin/pip install --no-deps --no-build-isolation gym==0.26.2 gym-notices d3rlpy==2.8.1 \
        pytorch-revgrad==0.2.0 scope-rl==0.2.1
    scope/bin/python tests/golden/make_ope_values.py scope_rl

Each call replaces its library's part of the file: versions, inputs (from Python's own generator, the same
everywhere) and the library's estimates of them. `tests/golden/test_ope_values.py` compares ours.
"""

from __future__ import annotations

import json
import platform
import random
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("ope_values.json")


def distribution(luck: random.Random, size: int) -> list[float]:
    """Probabilities of `size` actions, each at least 0.05."""
    parts = [luck.random() for _ in range(size)]
    return [0.05 + (1 - 0.05 * size) * part / sum(parts) for part in parts]


def obp_values() -> dict:
    """Single decisions and slates."""
    from obp import ope
    from sklearn.linear_model import LinearRegression

    luck = random.Random(1)
    n, N, E, d = 40, 4, 3, 2
    logging = [distribution(luck, N) for _ in range(n)]
    target = [distribution(luck, N) for _ in range(n)]
    action = [luck.choices(range(N), probs)[0] for probs in logging]
    reward = [luck.gauss(0.3 * a, 1.0) for a in action]
    q_hat = [[luck.gauss(0.3 * a, 0.5) for a in range(N)] for _ in range(n)]
    context = [[luck.gauss(0, 1) for _ in range(d)] for _ in range(n)]
    # Two embedding dimensions with a distribution for each action.
    embedding_probs = [[distribution(luck, E) for _ in range(2)] for _ in range(N)]
    embedding = [[luck.choices(range(E), embedding_probs[a][j])[0] for j in range(2)] for a in action]
    inputs = {
        "logging_probs": logging,
        "target_probs": target,
        "action": action,
        "reward": reward,
        "q_hat": q_hat,
        "context": context,
        "embedding": embedding,
        "embedding_probs": embedding_probs,
    }

    row = np.arange(n)
    pi_b, pi_e = np.array(logging)[:, :, None], np.array(target)[:, :, None]
    data = {
        "reward": np.array(reward),
        "action": np.array(action),
        "action_dist": pi_e,
        "pscore": pi_b[row, action, 0],
        "position": np.zeros(n, dtype=int),
    }
    model = {"estimated_rewards_by_reg_model": np.array(q_hat)[:, :, None]}
    values = {
        "ips": ope.InverseProbabilityWeighting().estimate_policy_value(**data),
        "clipped_ips": ope.InverseProbabilityWeighting(lambda_=1.5).estimate_policy_value(**data),
        "snips": ope.SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**data),
        "dm": ope.DirectMethod().estimate_policy_value(**data, **model),
        "dr": ope.DoublyRobust().estimate_policy_value(**data, **model),
        "sndr": ope.SelfNormalizedDoublyRobust().estimate_policy_value(**data, **model),
        "switch_dr": ope.SwitchDoublyRobust(lambda_=1.5).estimate_policy_value(**data, **model),
        "dr_shrinkage": ope.DoublyRobustWithShrinkage(lambda_=2.0).estimate_policy_value(**data, **model),
        "mips": ope.MarginalizedInverseProbabilityWeighting(n_actions=N).estimate_policy_value(
            **data,
            pi_b=pi_b,
            action_embed=np.array(embedding),
            p_e_a=np.moveaxis(np.array(embedding_probs), 1, 2),
        ),
    }
    regression = ope.RegressionModel(
        n_actions=N, len_list=1, base_model=LinearRegression(), fitting_method="mrdr"
    )
    fitted = regression.fit_predict(
        context=np.array(context),
        action=data["action"],
        reward=data["reward"],
        pscore=data["pscore"],
        position=data["position"],
        action_dist=pi_e,
        n_folds=1,
        random_state=0,
    )
    values["mrdr"] = ope.DoublyRobust().estimate_policy_value(**data, estimated_rewards_by_reg_model=fitted)

    slates, slate_values = obp_slates(ope)
    return {
        "decisions": {"inputs": inputs, "values": values},
        "slates": {"inputs": slates, "values": slate_values},
    }


def obp_slates(ope) -> tuple[dict, dict]:
    """Slates of policies that fill each position independently of the others."""
    luck = random.Random(2)
    n, K, N = 25, 3, 4
    logging = [[distribution(luck, N) for _ in range(K)] for _ in range(n)]
    target = [[distribution(luck, N) for _ in range(K)] for _ in range(n)]
    action = [[luck.choices(range(N), probs)[0] for probs in slate] for slate in logging]
    reward = [[float(luck.random() < 0.2 + 0.15 * a) for a in slate] for slate in action]
    q_hat = [[[luck.gauss(0.4, 0.2) for _ in range(N)] for _ in range(K)] for _ in range(n)]
    inputs = {
        "logging_probs": logging,
        "target_probs": target,
        "action": action,
        "reward": reward,
        "q_hat": q_hat,
    }
    picked = np.array(action)[:, :, None]
    item_b = np.take_along_axis(np.array(logging), picked, axis=2)[:, :, 0]
    item_e = np.take_along_axis(np.array(target), picked, axis=2)[:, :, 0]
    prefix_b, prefix_e = item_b.cumprod(axis=1), item_e.cumprod(axis=1)
    data = {
        "slate_id": np.repeat(np.arange(n), K),
        "position": np.tile(np.arange(K), n),
        "action": picked.ravel(),
        "reward": np.array(reward).ravel(),
    }
    prefix = {
        "pscore_cascade": prefix_b.ravel(),
        "evaluation_policy_pscore_cascade": prefix_e.ravel(),
    }
    values = {
        "slate_ips": ope.SlateStandardIPS(len_list=K).estimate_policy_value(
            **data,
            pscore=np.repeat(prefix_b[:, -1], K),
            evaluation_policy_pscore=np.repeat(prefix_e[:, -1], K),
        ),
        "independent_ips": ope.SlateIndependentIPS(len_list=K).estimate_policy_value(
            **data,
            pscore_item_position=item_b.ravel(),
            evaluation_policy_pscore_item_position=item_e.ravel(),
        ),
        "reward_interaction_ips": ope.SlateRewardInteractionIPS(len_list=K).estimate_policy_value(
            **data, **prefix
        ),
        "cascade_dr": ope.SlateCascadeDoublyRobust(len_list=K, n_unique_action=N).estimate_policy_value(
            **data,
            **prefix,
            q_hat=np.array(q_hat).ravel(),
            evaluation_policy_action_dist=np.array(target).ravel(),
        ),
    }
    return inputs, values


def scope_rl_values() -> dict:
    """Whole sessions, all of the same length: SCOPE-RL knows no other."""
    from scope_rl.ope import discrete

    luck = random.Random(3)
    G, T, N, gamma = 30, 4, 3, 0.9
    n = G * T
    logging = [distribution(luck, N) for _ in range(n)]
    target = [distribution(luck, N) for _ in range(n)]
    action = [luck.choices(range(N), probs)[0] for probs in logging]
    reward = [luck.gauss(0.5 * a, 1.0) for a in action]
    q_hat = [[luck.gauss(a, 0.5) for a in range(N)] for _ in range(n)]
    ratio = [luck.uniform(0.2, 2.0) for _ in range(n)]
    inputs = {
        "num_sessions": G,
        "discount": gamma,
        "logging_probs": logging,
        "target_probs": target,
        "action": action,
        "reward": reward,
        "q_hat": q_hat,
        "state_action_ratio": ratio,
    }
    data = {
        "step_per_trajectory": T,
        "action": np.array(action),
        "reward": np.array(reward),
        "pscore": np.array(logging)[np.arange(n), action],
        "evaluation_policy_action_dist": np.array(target),
        "gamma": gamma,
    }
    model = {"state_action_value_prediction": np.array(q_hat)}
    values = {
        "trajectory_is": discrete.TrajectoryWiseImportanceSampling().estimate_policy_value(**data),
        "trajectory_is_sn": discrete.SelfNormalizedTIS().estimate_policy_value(**data),
        "per_decision_is": discrete.PerDecisionImportanceSampling().estimate_policy_value(**data),
        "per_decision_is_sn": discrete.SelfNormalizedPDIS().estimate_policy_value(**data),
        "sequential_dr": discrete.DoublyRobust().estimate_policy_value(**data, **model),
        "sequential_dr_sn": discrete.SelfNormalizedDR().estimate_policy_value(**data, **model),
        "marginal_is": discrete.StateActionMarginalIS().estimate_policy_value(
            **data, n_step_pdis=0, state_action_marginal_importance_weight=np.array(ratio)
        ),
    }
    return {"sessions": {"inputs": inputs, "values": values}}


MAKERS = {
    "obp": (obp_values, ("obp", "numpy", "scikit-learn", "scipy")),
    "scope_rl": (scope_rl_values, ("scope-rl", "numpy", "d3rlpy")),
}


def main() -> None:
    """Replace one library's part of the file."""
    if len(sys.argv) != 2 or sys.argv[1] not in MAKERS:
        sys.exit(f"usage: make_ope_values.py {' | '.join(MAKERS)}")
    make, packages = MAKERS[sys.argv[1]]
    part = make()
    for group in part.values():
        group["values"] = {name: float(value) for name, value in group["values"].items()}
    part["versions"] = {"python": platform.python_version()}
    part["versions"] |= {package: metadata.version(package) for package in packages}
    everything = json.loads(FILE.read_text()) if FILE.exists() else {}
    everything[sys.argv[1]] = part
    FILE.write_text(json.dumps(everything, sort_keys=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
