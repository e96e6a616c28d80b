"""The choice models: from a slate's utilities to clicks. Each is a draw here and a closed form beside it.

All three agree on a slate of one item: it is clicked with probability sigmoid(v). ``examination`` e_k = (k +
1)^-gamma. Every draw is keyed by the item, except one number per step for the user's own inclination, so an
item's luck is the same at whatever slate and position it appears. A position with examination 0 shows nothing
and takes part in nothing.
"""

import numpy as np

from recsim_env.arithmetic import ONE, ZERO, exp, log, sigmoid
from recsim_env.compiling import compiled
from recsim_env.config import ChoiceModel
from recsim_env.records import NO_EVENT, Event

LOGIT = int(ChoiceModel.LOGIT)
CASCADE = int(ChoiceModel.CASCADE)
CLICK = np.uint8(Event.CLICK)
NOT_CLICKED = np.uint8(NO_EVENT)


@compiled(merge=True)
def choose_logit(utility, examination, item_uniforms, step_uniform, race, count, width, events):
    """One click at most: multinomial logit over the slate and no click, utility v_k + log e_k against 0.

    Drawn by the Gumbel-max rule in its exponential form, argmin_k E_k / (e_k exp v_k) with E_k = -log u_k,
    which picks the same option as argmax_k v_k + log e_k - log E_k.

    Args:
        utility, examination: [>= width] float32; beyond ``count`` anything finite.
        item_uniforms: [>= width] float32 in (0, 1), one per item.
        step_uniform: float32 in (0, 1), that of the no-click option.
        race: [>= width] float32 scratch, overwritten.
        count, width: K, and K rounded up to whole vectors.
        events: [>= K] uint8, overwritten.

    Source: McFadden (1974) for the model; Gumbel (1954) for the max rule.
    """
    for k in range(width):
        race[k] = -log(item_uniforms[k]) * exp(-utility[k]) / examination[k]
    first = -log(step_uniform)
    chosen = -1
    for k in range(count):
        events[k] = NOT_CLICKED
        if race[k] < first:
            first = race[k]
            chosen = k
    if chosen >= 0:
        events[chosen] = CLICK


@compiled(merge=True)
def choose_cascade(utility, examination, item_uniforms, step_uniform, count, events):
    """One click at most: examine downwards, click with sigmoid(v_k), stop after the click.

    The user looks at position k only while one uniform number u < e_k, so an unclicked user examines k with
    probability e_k.

    Source: Craswell et al. (2008), cascade model; ours: the limited depth (gamma = 0 gives the plain
    cascade).
    """
    depth = step_uniform
    clicked = False
    for k in range(count):
        events[k] = NOT_CLICKED
        if not clicked and depth < examination[k] and item_uniforms[k] < sigmoid(utility[k]):
            events[k] = CLICK
            clicked = True


@compiled(merge=True)
def choose_position(utility, examination, item_uniforms, count, events):
    """Any number of clicks: item k is clicked with e_k sigmoid(v_k), independently of the others.

    Source: Richardson, Dominowska and Ragno (2007), examination hypothesis; position-based model.
    """
    for k in range(count):
        clicked = item_uniforms[k] < examination[k] * sigmoid(utility[k])
        events[k] = CLICK if clicked else NOT_CLICKED


@compiled(merge=True)
def choose(model, utility, examination, item_uniforms, step_uniform, race, count, width, events):
    """Draw the clicks of one step by the named model (see the three functions above for the arguments)."""
    if model == LOGIT:
        choose_logit(utility, examination, item_uniforms, step_uniform, race, count, width, events)
    elif model == CASCADE:
        choose_cascade(utility, examination, item_uniforms, step_uniform, count, events)
    else:
        choose_position(utility, examination, item_uniforms, count, events)


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
