"""Which random blocks a user needs at a reset and at a step, and where they lie among those drawn together.

    traits (visit 0)  [segment .. first topic] [second topic ..] [taste: D / 4]
    visit             [patience, cold, history length] [interest: D / 4] [per organic item: events, candidates / 4 ...]
    step              [user] [interest: D / 4] [item: K]

Drawing them together lets the Philox rounds run over whole vectors; each block's bits depend on its own key alone.
"""

from recsim_env.compiling import compiled
from recsim_env.streams import Purpose, draw_key, fill_words

USER_TRAITS = int(Purpose.USER_TRAITS)
USER_TASTE = int(Purpose.USER_TASTE)
VISIT_TRAITS = int(Purpose.VISIT_TRAITS)
VISIT_INTEREST = int(Purpose.VISIT_INTEREST)
ORGANIC_ITEM = int(Purpose.ORGANIC_ITEM)
STEP_USER = int(Purpose.STEP_USER)
STEP_INTEREST = int(Purpose.STEP_INTEREST)
STEP_ITEM = int(Purpose.STEP_ITEM)

TRAITS_AT = 0
TASTE_AT = 2
VISIT_AT = 0
VISIT_INTEREST_AT = 1
STEP_AT = 0
STEP_INTEREST_AT = 1


@compiled
def _number(lanes, keys, start, count, key):
    """Give the blocks start .. start + count - 1 the lanes 0 .. count - 1 of one key."""
    for i in range(count):
        lanes[start + i] = i
        keys[start + i] = key


@compiled
def draw_trait_words(seed, user, dim, scratch):
    """Fill ``scratch.trait_words``; taste starts at block TASTE_AT."""
    lanes, keys = scratch.trait_lanes, scratch.trait_keys
    _number(lanes, keys, TRAITS_AT, 2, draw_key(0, USER_TRAITS))
    _number(lanes, keys, TASTE_AT, dim // 4, draw_key(0, USER_TASTE))
    fill_words(seed, user, 0, lanes, keys, scratch.trait_words)


@compiled
def draw_visit_words(seed, user, visit, dim, scratch):
    """Fill ``scratch.visit_words``; organic item j starts at block ``organic_at(dim, j, ...)``."""
    lanes, keys = scratch.visit_lanes, scratch.visit_keys
    _number(lanes, keys, VISIT_AT, 1, draw_key(0, VISIT_TRAITS))
    _number(lanes, keys, VISIT_INTEREST_AT, dim // 4, draw_key(0, VISIT_INTEREST))
    per_item = organic_blocks(scratch.candidates.shape[0])
    start = VISIT_INTEREST_AT + dim // 4
    for j in range((lanes.shape[0] - start) // per_item):
        _number(lanes, keys, start + j * per_item, per_item, draw_key(j, ORGANIC_ITEM))
    fill_words(seed, user, visit, lanes, keys, scratch.visit_words)


@compiled
def organic_blocks(candidates):
    """Blocks per organic item: one for its events, the others four candidates each."""
    return 1 + (candidates + 3) // 4


@compiled
def draw_step_words(seed, user, visit, step, dim, slate, scratch):
    """Fill ``scratch.step_words``; the slate's items start at block ``1 + dim / 4``, each keyed by its item."""
    lanes, keys = scratch.step_lanes, scratch.step_keys
    _number(lanes, keys, STEP_AT, 1, draw_key(step, STEP_USER))
    _number(lanes, keys, STEP_INTEREST_AT, dim // 4, draw_key(step, STEP_INTEREST))
    start = STEP_INTEREST_AT + dim // 4
    key = draw_key(step, STEP_ITEM)
    for k in range(slate.shape[0]):
        lanes[start + k] = slate[k]
        keys[start + k] = key
    fill_words(seed, user, visit, lanes, keys, scratch.step_words)
