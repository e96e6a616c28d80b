"""One user's step, composed of the other rooms: a pure function of (params, items, seed, state, slate)."""

import numpy as np

from recsim_env.arithmetic import ZERO
from recsim_env.compiling import compiled
from recsim_env.kernel.affinity import match, utility
from recsim_env.kernel.choice import choose
from recsim_env.kernel.draws import STEP, draw
from recsim_env.kernel.funnel import like_prob, purchase_prob
from recsim_env.kernel.observation import remember
from recsim_env.kernel.preferences import drift_interest, satiate, satisfy
from recsim_env.kernel.reward import purchase_value
from recsim_env.kernel.session import spend_patience
from recsim_env.records import NO_EVENT, Event
from recsim_env.streams import fill_noise, fill_uniforms, uniform

NONE = np.uint8(NO_EVENT)
LIKE = np.uint8(Event.LIKE)
PURCHASE = np.uint8(Event.PURCHASE)


@compiled(merge=True)
def face_slate(params, items, state, slate, blank_repeats, scratch):
    """What the user makes of a slate before any draw: match, utility and examination of each position.

    A repeat of an item further up is a blank position, examination 0, if ``blank_repeats``; otherwise there
    must be none.

    Args:
        params: PARAMS record; items: [N] ITEM; state: USER_STATE record; slate: [K] int64; blank_repeats:
            bool.
        scratch: SCRATCH record, whose ``match`` and ``utility`` [K] float32 are overwritten; ``examination``
            as well if ``blank_repeats``, else it holds that of the config.
    """
    for k in range(slate.shape[0]):
        item = items[slate[k]]
        scratch.match[k] = match(state.interest, item)
        scratch.utility[k] = utility(params, state, item, scratch.match[k])
    if blank_repeats:
        for k in range(slate.shape[0]):
            repeated = False
            for j in range(k):
                repeated |= slate[j] == slate[k]
            scratch.examination[k] = ZERO if repeated else params.examination[k]


@compiled(merge=True)
def draw_step(seed, state, slate, scratch):
    """Draw the words of this step: those of the slate's items, of the user, and of the noise on interest."""
    lanes, first = scratch.lanes[STEP], state.interest.shape[0] // 4 + 1
    for k in range(slate.shape[0]):
        lanes[first + k] = slate[k]
    draw(seed, state.user_id, np.int64(state.visit), np.int64(state.step), STEP, scratch)


@compiled(merge=True)
def respond(params, items, state, slate, outcome, scratch):
    """Turn the drawn words into clicks, likes and purchases: ``scratch.events``, ``clicked`` and the outcome.

    An item's draws come from its own block: word 0 the click, word 1 the like, word 2 the purchase.

    Returns:
        number of clicks; their positions are in ``scratch.clicked``.
    """
    user_at = state.interest.shape[0] // 4
    first = user_at + 1
    words, events, clicked = scratch.words, scratch.events, scratch.clicked
    fill_uniforms(words[0], first, scratch.click_uniforms, slate.shape[0])
    choose(
        params.model,
        scratch.utility,
        scratch.examination,
        scratch.click_uniforms,
        uniform(words[0, user_at]),
        scratch.race,
        slate.shape[0],
        scratch.width,
        events,
    )
    num_clicks = 0
    for k in range(slate.shape[0]):
        if events[k] != NONE:
            clicked[num_clicks] = k
            num_clicks += 1
    likes = 0
    purchases = 0
    revenue = 0.0
    reward = num_clicks * np.float64(params.click)
    for i in range(num_clicks):
        k = clicked[i]
        item = items[slate[k]]
        liked = uniform(words[1, first + k]) < like_prob(params, item, scratch.match[k])
        if liked:
            likes += 1
            reward += np.float64(params.like)
            events[k] |= LIKE
        if uniform(words[2, first + k]) < purchase_prob(params, state, item, scratch.match[k], liked):
            purchases += 1
            reward += np.float64(purchase_value(params, item))
            revenue += np.float64(item.price)
            events[k] |= PURCHASE
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
    fill_noise(scratch.words, scratch.noise_words, scratch.dim, scratch.normals)
    drift_interest(params, items, state, slate, events, clicked, num_clicks, scratch.normals)
    satiate(params, items, state, slate, events, scratch.examination)
    satisfy(params, items, state, slate, clicked, num_clicks)
    last_slate, last_events = state.last_slate, state.last_events
    for k in range(slate.shape[0]):
        last_slate[k] = slate[k]
        last_events[k] = events[k]
    for i in range(num_clicks):
        remember(state, slate[clicked[i]], events[clicked[i]])
    state.patience = spend_patience(params, state.patience, state.satisfaction, num_clicks > 0)
    state.step += 1
    state.ended = state.patience <= ZERO


@compiled(merge=True)
def step_user(params, items, seed, state, slate, blank_repeats, max_steps, outcome, scratch):
    """One user answers one slate.

    Args:
        params: PARAMS record; items: [N] ITEM; seed: uint64, the key of all draws.
        state: USER_STATE record, changed in place.
        slate: [K] int64 in [0, N); blank_repeats: bool, whether it may repeat items.
        max_steps: int, the horizon; 0 for none.
        outcome: OUTCOME record, overwritten.
        scratch: SCRATCH record of the calling thread.
    """
    draw_step(seed, state, slate, scratch)
    face_slate(params, items, state, slate, blank_repeats, scratch)
    num_clicks = respond(params, items, state, slate, outcome, scratch)
    evolve(params, items, state, slate, num_clicks, scratch)
    outcome.user_id = state.user_id
    outcome.visit = state.visit
    outcome.terminated = state.ended
    outcome.truncated = max_steps > 0 and state.step >= max_steps and not state.ended


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
