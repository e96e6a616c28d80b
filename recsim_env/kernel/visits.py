"""From visit to visit: what each begins with, and whether and when a user returns."""

import numpy as np

from recsim_env.arithmetic import HALF, ONE, exp, log, normal_quantile, normalise, sigmoid
from recsim_env.compiling import compiled
from recsim_env.kernel.drift import appeal_level
from recsim_env.kernel.session import initial_patience
from recsim_env.streams import fill_normals, fill_words, uniform

LOG_2 = np.float32(np.log(2))


@compiled(merge=True)
def begin_visit(params, seed, state, scratch):
    """What every visit begins with: interest near taste, patience, and this hour's appeal.

    Args:
        params: PARAMS record; seed: uint64.
        state: USER_STATE record whose user, visit and hour are set, changed in place.
        scratch: SCRATCH record, whose words then hold the VISIT group.
    """
    interest, taste, normals = state.interest, state.taste, scratch.noise
    dim = taste.shape[0]
    fill_words(
        seed,
        state.user_id,
        state.visit,
        np.int64(0),
        scratch.visit_blocks,
        scratch.visit_lanes,
        scratch.visit_keys,
        scratch.words,
    )
    fill_normals(scratch.words, scratch.uniforms, normals)
    spread = params.interest_noise / np.float32(np.sqrt(np.float32(dim)))
    for d in range(dim):
        interest[d] = taste[d] + spread * normals[d]
    normalise(interest)
    state.step = 0
    state.ended = False
    state.patience = initial_patience(params, uniform(scratch.words[0, dim // 4]))
    state.appeal_shift = appeal_level(params, state)


@compiled(merge=True)
def return_user(params, seed, max_steps, state, outcome, scratch):
    """After a session: the user churns, or is back after a gap, within the lifetime or too late for it.

    Args:
        params: PARAMS record; seed: uint64; max_steps: int, the horizon; 0 for none.
        state: USER_STATE record of a visit that has ended; of a user who is back it becomes the next visit.
        outcome: OUTCOME record, whose ``terminated`` (churn) and ``truncated`` (the lifetime or the horizon
            ran out) are written; scratch: SCRATCH record.

    Source: ours; a return time that satisfaction shortens as in KuaiSim's retention (Zhao et al. 2023), with
    a lognormal gap.
    """
    number, key = scratch.return_lanes, scratch.return_keys
    fill_words(seed, state.user_id, state.visit, np.int64(0), 1, number, key, scratch.words)
    pleased = state.satisfaction - HALF
    words = scratch.words
    churned = uniform(words[0, 0]) < sigmoid(params.churn_bias - params.churn_satisfaction * pleased)
    log_gap = log(params.gap_median) - params.gap_satisfaction * pleased
    gap = exp(log_gap + params.gap_log_std * normal_quantile(uniform(words[1, 0])))
    in_time = state.hour + gap < state.arrival + params.lifetime_hours
    outcome.terminated = churned
    outcome.truncated = not churned and not in_time
    if not churned and in_time:
        outcome.truncated = max_steps > 0 and state.decisions >= max_steps
        state.visit += 1
        state.hour += gap
        state.hours_away = np.int32(np.ceil(gap))
        begin_visit(params, seed, state, scratch)
        recovered = exp(-gap * LOG_2 / params.satiation_half_life)
        satiation = state.satiation
        for c in range(satiation.shape[0]):
            satiation[c] *= recovered
        kept = params.satisfaction_kept
        state.satisfaction = kept * state.satisfaction + (ONE - kept) * params.satisfaction_initial
