"""When a session ends."""

from recsim_env.arithmetic import ONE, ZERO, exp, log
from recsim_env.compiling import compiled


@compiled(merge=True)
def initial_patience(params, u):
    """Patience, in units of step cost, at the start of a visit: scale (u^(-1/shape) - 1), u uniform.

    Source: Lomax (1954). Its hazard falls with depth, as the probability of continuing rises with depth on
    real logs.
    """
    return params.patience_scale * (exp(-log(u) / params.patience_shape) - ONE)


@compiled(merge=True)
def spend_patience(params, patience, satisfaction, engaged, bored):
    """Patience after a step: m' = m - cost (1 + boredom_cost * bored - refund * engaged * h).

    Args:
        params: PARAMS record; patience: float32; satisfaction: float32 in [0, 1]; engaged: bool, any click in
            this step; bored: float32 in [0, 1], from ``boredom``.

    Source: ours; engagement with satisfying items prolongs the session, more of the same shortens it.
    """
    refund = params.refund * satisfaction if engaged else ZERO
    return patience - params.step_cost * (ONE + params.boredom_cost * bored - refund)
