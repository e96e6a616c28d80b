"""The choice models: from a slate's utilities to clicks. Each is a draw here and a closed form beside it.

All three agree on a slate of one item: it is clicked with probability sigmoid(v). ``examination`` e_k = (k +
1)^-gamma. Every draw is keyed by the item, except one number per step for the user's own inclination, so an
item's luck is the same at whatever slate and position it appears. A position with examination 0 shows nothing
and takes part in nothing.
"""

from recsim_env.arithmetic import ONE, ZERO, exp, log, sigmoid
from recsim_env.compiling import compiled
from recsim_env.config import ChoiceModel

LOGIT = int(ChoiceModel.LOGIT)
CASCADE = int(ChoiceModel.CASCADE)


@compiled(merge=True)
def choose_logit(utility, examination, uniforms, race, count, width, clicked):
    """One click at most: multinomial logit over the slate and no click, utility v_k + log e_k against 0.

    Drawn by the Gumbel-max rule in its exponential form, argmin_k E_k / (e_k exp v_k) with E_k = -log u_k,
    which picks the same option as argmax_k v_k + log e_k - log E_k.

    Args: as ``choose``.

    Source: McFadden (1974) for the model; Gumbel (1954) for the max rule.
    """
    for k in range(width):
        race[k] = -log(uniforms[k]) * exp(-utility[k]) / examination[k]
    chosen = count
    for k in range(count):
        chosen = k if race[k] < race[chosen] else chosen
    clicked[0] = chosen
    return 1 if chosen < count else 0


@compiled(merge=True)
def choose_cascade(utility, examination, uniforms, count, clicked):
    """One click at most: examine downwards, click with sigmoid(v_k), stop after the click.

    The user looks at position k only while one uniform number u < e_k, so an unclicked user examines k with
    probability e_k.

    Args: as ``choose``.

    Source: Craswell et al. (2008), cascade model; ours: the limited depth (gamma = 0 gives the plain
    cascade).
    """
    depth = uniforms[count]
    for k in range(count):
        if depth < examination[k] and uniforms[k] < sigmoid(utility[k]):
            clicked[0] = k
            return 1
    return 0


@compiled(merge=True)
def choose_position(utility, examination, uniforms, count, clicked):
    """Any number of clicks: item k is clicked with e_k sigmoid(v_k), independently of the others.

    Args: as ``choose``.

    Source: Richardson, Dominowska and Ragno (2007), examination hypothesis; position-based model.
    """
    num_clicks = 0
    for k in range(count):
        if uniforms[k] < examination[k] * sigmoid(utility[k]):
            clicked[num_clicks] = k
            num_clicks += 1
    return num_clicks


@compiled(merge=True)
def choose(model, utility, examination, uniforms, race, count, width, clicked):
    """Draw the clicks of one step by the named model.

    Args:
        model: int, a ChoiceModel.
        utility, examination: [>= width] float32, of each position; then those of no click, 0 and 1, as
            position K; then anything finite, not 0.
        uniforms: [>= width] float32 in (0, 1), one for each item; then that of the user.
        race: [>= width] float32 scratch, overwritten.
        count, width: K, and K + 1 rounded up to whole vectors.
        clicked: [> K] int64, overwritten with the clicked positions, from the top down.

    Returns:
        number of clicks.
    """
    if model == LOGIT:
        return choose_logit(utility, examination, uniforms, race, count, width, clicked)
    if model == CASCADE:
        return choose_cascade(utility, examination, uniforms, count, clicked)
    return choose_position(utility, examination, uniforms, count, clicked)


@compiled
def click_probs(model, utility, examination, count, probs):
    """Closed form of ``choose``: write the probability of a click at each position.

    logit     e_k exp(v_k) / (1 + sum_j e_j exp(v_j))
    cascade   e_k sigmoid(v_k) prod_{j < k} (1 - sigmoid(v_j))
    position  e_k sigmoid(v_k)

    Args:
        model: int, a ChoiceModel.
        utility, examination: [>= K] float32.
        count: K.
        probs: [>= K] float32, overwritten.
    """
    if model == LOGIT:
        largest = ZERO  # taken out of every exponent, so that no weight leaves float32
        for k in range(count):
            largest = max(largest, utility[k])
        total = exp(-largest)
        for k in range(count):
            probs[k] = examination[k] * exp(utility[k] - largest)
            total += probs[k]
        for k in range(count):
            probs[k] /= total
    elif model == CASCADE:
        unclicked = ONE
        for k in range(count):
            attraction = sigmoid(utility[k])
            probs[k] = examination[k] * attraction * unclicked
            if examination[k] > ZERO:
                unclicked *= ONE - attraction
    else:
        for k in range(count):
            probs[k] = examination[k] * sigmoid(utility[k])
