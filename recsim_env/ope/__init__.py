"""Off-policy evaluation: what a target policy would earn, from the log of another policy.

Arrays in, one `Estimate` out: value, 95% interval, how the importance weights look, and warnings in plain
language. Which estimator to trust when is in docs/ope.md. Nothing here draws random numbers, but for
`BootstrapInterval`, from the generator that it is given.
"""

from recsim_env.ope.decisions import LoggedDecisions, PredictedRewards
from recsim_env.ope.embeddings import embedding_propensity, mips, one_hot
from recsim_env.ope.estimate import Estimate
from recsim_env.ope.evaluation import evaluate, format_table
from recsim_env.ope.fitted_q import FittedQ, fit_q, fqe, tabular_features
from recsim_env.ope.from_log import (
    PolicyOnLog,
    decisions_from_log,
    policy_on_log,
    position_reward,
    session_ids,
    sessions_from_log,
    slates_from_log,
)
from recsim_env.ope.intervals import BernsteinInterval, BootstrapInterval, Interval, NormalInterval
from recsim_env.ope.log_features import (
    Features,
    Groups,
    log_features,
    predicted_rewards,
    predicted_values,
    visible_states,
)
from recsim_env.ope.marginal import marginal_is, state_ratio, tabular_marginal_is
from recsim_env.ope.reward_model import fit_linear, mrdr, mrdr_weight
from recsim_env.ope.sessions import LoggedSessions, PredictedValues
from recsim_env.ope.single_step import clipped_ips, dm, dr, dr_shrinkage, ips, sndr, snips, switch_dr
from recsim_env.ope.slates import (
    LoggedSlates,
    SlatePropensity,
    cascade_dr,
    independent_ips,
    reward_interaction_ips,
    slate_ips,
)
from recsim_env.ope.trajectories import per_decision_is, sequential_dr, trajectory_is

__all__ = [
    "BernsteinInterval",
    "BootstrapInterval",
    "Estimate",
    "Features",
    "FittedQ",
    "Groups",
    "Interval",
    "LoggedDecisions",
    "LoggedSessions",
    "LoggedSlates",
    "NormalInterval",
    "PolicyOnLog",
    "PredictedRewards",
    "PredictedValues",
    "SlatePropensity",
    "cascade_dr",
    "clipped_ips",
    "decisions_from_log",
    "dm",
    "dr",
    "dr_shrinkage",
    "embedding_propensity",
    "evaluate",
    "fit_linear",
    "fit_q",
    "format_table",
    "fqe",
    "independent_ips",
    "ips",
    "log_features",
    "marginal_is",
    "mips",
    "mrdr",
    "mrdr_weight",
    "one_hot",
    "per_decision_is",
    "policy_on_log",
    "position_reward",
    "predicted_rewards",
    "predicted_values",
    "reward_interaction_ips",
    "sequential_dr",
    "session_ids",
    "sessions_from_log",
    "slate_ips",
    "slates_from_log",
    "sndr",
    "snips",
    "state_ratio",
    "switch_dr",
    "tabular_features",
    "tabular_marginal_is",
    "trajectory_is",
    "visible_states",
]
