"""One user's step, composed of the other rooms: a pure function of (params, items, seed, state, slate)."""

import numpy as np

from recsim_env.arithmetic import ZERO
from recsim_env.compiling import compiled
from recsim_env.kernel.affinity import match, outside_utility, utility
from recsim_env.kernel.choice import choose
from recsim_env.kernel.drift import on_offer, utility_change
from recsim_env.kernel.funnel import like_prob, purchase_prob
from recsim_env.kernel.observation import remember
from recsim_env.kernel.preferences import boredom, drift_interest, satiate, satisfy
from recsim_env.kernel.reward import purchase_value
from recsim_env.kernel.session import spend_patience
from recsim_env.records import NO_EVENT, Event
from recsim_env.streams import fill_noise, fill_uniforms, fill_words, uniform

NONE = np.uint8(NO_EVENT)
CLICK = np.uint8(Event.CLICK)
LIKE = np.uint8(Event.LIKE)
PURCHASE = np.uint8(Event.PURCHASE)


@compiled(merge=True)
def face_slate(params, items, state, slate, look_for_blanks, scratch):
    """What the user makes of a slate before any draw: match, utility and examination of each position.

    A repeat of an item further up, and an item that is not on offer, is a blank position, examination 0, if
    ``look_for_blanks``; otherwise there must be none.

    Args:
        params: PARAMS record; items: [N] ITEM; state: USER_STATE record; slate: [K] int64; look_for_blanks:
            bool.
        scratch: SCRATCH record, whose ``match`` and ``utility`` [K] float32 are overwritten; ``examination``
            as well if ``look_for_blanks``, else it holds that of the config.
    """
    outside = outside_utility(params, state)
    for k in range(slate.shape[0]):
        item = items[np.uint64(slate[k])]
        item_match = match(state.interest, item)
        scratch.match[k] = item_match
        scratch.utility[k] = utility(params, state, item, item_match, outside)
    if params.changing:
        for k in range(slate.shape[0]):
            scratch.utility[k] += utility_change(params, state, items[np.uint64(slate[k])])
    if look_for_blanks:
        for k in range(slate.shape[0]):
            blank = not on_offer(state, items[np.uint64(slate[k])])
            for j in range(k):
                blank |= slate[j] == slate[k]
            scratch.examination[k] = ZERO if blank else params.examination[k]


@compiled(merge=True)
def name_draws(slate, scratch):
    """Put the slate's items among the lanes of this step's draws."""
    lanes = scratch.step_lanes
    for k in range(slate.shape[0]):
        lanes[k] = slate[k]


@compiled(merge=True)
def draw_step(seed, state, scratch):
    """Draw the words of this step: those of the noise on interest, of the slate's items, and of the user."""
    fill_words(
        seed,
        state.user_id,
        state.visit,
        state.step,
        scratch.step_blocks,
        scratch.step_lanes,
        scratch.step_keys,
        scratch.words,
    )


@compiled(merge=True)
def respond(params, items, state, slate, outcome, scratch):
    """Turn the drawn words into clicks, likes and purchases: ``scratch.events``, ``clicked`` and the outcome.

    An item's draws come from its own block: word 0 the click, word 1 the like, word 2 the purchase.

    Returns:
        number of clicks; their positions are in ``scratch.clicked``.
    """
    words, events, clicked = scratch.words, scratch.events, scratch.clicked
    fill_uniforms(words[0], scratch.width, scratch.option_uniforms)
    num_clicks = choose(
        params.model,
        scratch.utility,
        scratch.examination,
        scratch.option_uniforms,
        scratch.race,
        slate.shape[0],
        scratch.width,
        clicked,
    )
    for k in range(slate.shape[0]):
        events[k] = NONE
    likes = 0
    purchases = 0
    revenue = 0.0
    reward = num_clicks * np.float64(params.click)
    for i in range(num_clicks):
        k = clicked[i]
        item = items[np.uint64(slate[k])]
        done = CLICK
        liked = uniform(words[1, k]) < like_prob(params, item, scratch.match[k])
        if liked:
            likes += 1
            reward += np.float64(params.like)
            done |= LIKE
        if uniform(words[2, k]) < purchase_prob(params, state, item, scratch.match[k], liked):
            purchases += 1
            reward += np.float64(purchase_value(params, item))
            revenue += np.float64(item.price)
            done |= PURCHASE
        events[k] = done
    outcome.clicks = num_clicks
    outcome.likes = likes
    outcome.purchases = purchases
    outcome.revenue = revenue
    outcome.reward = reward
    return num_clicks


@compiled(merge=True)
def evolve(params, items, state, slate, num_clicks, scratch):
    """Carry the state to the next step: interest, satiation, satisfaction, patience, memory."""
    events, clicked = scratch.events, scratch.clicked
    last_slate, last_events = state.last_slate, state.last_events
    for k in range(slate.shape[0]):
        last_slate[k] = slate[k]
    for k in range(slate.shape[0]):
        last_events[k] = events[k]
    for i in range(num_clicks):
        remember(state, slate[clicked[i]], events[clicked[i]])
    drift_interest(params, items, state, slate, events, clicked, num_clicks, scratch.noise, scratch.dim)
    bored = boredom(params, items, state, slate, scratch.examination)
    satiate(params, items, state, slate, events, scratch.examination, scratch.num_topics)
    satisfy(params, items, state, slate, clicked, num_clicks)
    state.patience = spend_patience(params, state.patience, state.satisfaction, num_clicks > 0, bored)
    state.step += 1
    state.decisions += 1
    state.ended = state.patience <= ZERO


@compiled(inline=True)
def step_user(params, items, seed, state, slate, look_for_blanks, max_steps, outcome, scratch):
    """One user answers one slate.

    Args:
        params: PARAMS record; items: [N] ITEM; seed: uint64, the key of all draws.
        state: USER_STATE record, changed in place.
        slate: [K] int64 in [0, N); look_for_blanks: bool, whether it may repeat items or hold some that are
            not on offer.
        max_steps: int, the horizon; 0 for none.
        outcome: OUTCOME record, overwritten.
        scratch: SCRATCH record of the calling thread.

    The order of the rooms lets what one stores settle before another reads it in larger pieces: a processor
    waits for a load that spans several recent stores.
    """
    name_draws(slate, scratch)
    draw_step(seed, state, scratch)
    face_slate(params, items, state, slate, look_for_blanks, scratch)
    fill_noise(scratch.words, slate.shape[0] + 1, scratch.noise)
    num_clicks = respond(params, items, state, slate, outcome, scratch)
    evolve(params, items, state, slate, num_clicks, scratch)
    outcome.user_id = state.user_id
    outcome.visit = state.visit
    outcome.terminated = state.ended
    outcome.truncated = max_steps > 0 and state.decisions >= max_steps and not state.ended
    outcome.visit_ended = state.ended


@compiled(merge=True)
def skip_user(state, outcome):
    """The outcome of a user who takes no part in this step."""
    outcome.reward = 0.0
    outcome.revenue = 0.0
    outcome.user_id = state.user_id
    outcome.visit = state.visit
    outcome.clicks = 0
    outcome.likes = 0
    outcome.purchases = 0
    outcome.terminated = False
    outcome.truncated = False
    outcome.visit_ended = False
