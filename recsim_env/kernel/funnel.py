"""What follows a click: a like, a purchase."""

from recsim_env.arithmetic import ONE, ZERO, sigmoid
from recsim_env.compiling import compiled


@compiled
def like_prob(params, item, item_match):
    """P(like | click) = sigmoid(b + w_m <z, x_a> + w_q q_a).

    Args:
        params: PARAMS record; item: ITEM record; item_match: float32, <z, x_a>.

    Source: ours; a logit per stage of the click -> like -> purchase funnel.
    """
    return sigmoid(params.like_bias + params.like_match * item_match + params.like_quality * item.quality)


@compiled
def purchase_prob(params, state, item, item_match, liked):
    """P(purchase | click, like) = sigmoid(b + w_m <z, x_a> + w_q q_a - s_u log price_a + w_l [liked]).

    Args:
        params, state, item: records; item_match: float32, <z, x_a>; liked: bool.

    Source: ours; as ``like_prob``, with the user's sensitivity s_u to the log of the price in currency units.
    """
    return sigmoid(
        params.purchase_bias
        + params.purchase_match * item_match
        + params.purchase_quality * item.quality
        - state.price_sensitivity * item.log_price
        + (params.purchase_like if liked else ZERO)
    )


@compiled
def marginal_purchase_prob(params, state, item, item_match):
    """P(purchase | click), the like averaged out."""
    like = like_prob(params, item, item_match)
    with_like = purchase_prob(params, state, item, item_match, True)
    without_like = purchase_prob(params, state, item, item_match, False)
    return like * with_like + (ONE - like) * without_like
