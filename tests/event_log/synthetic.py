"""A log whose observations follow from the rows before them, made without the simulator."""

import numpy as np

from recsim_env.event_log import COLUMNS, EventLog

NUM_ITEMS, HISTORY, SLOTS = 20, 4, 2


def synthetic_log(num_users=30, seed=0):
    """Sessions whose observations follow from the rows before them, written down without EventLog."""
    generator = np.random.default_rng(seed)
    rows = []
    for user in range(num_users):
        history = [(NUM_ITEMS, 0)] * HISTORY
        last = ([NUM_ITEMS] * SLOTS, [0] * SLOTS)
        length = int(generator.integers(1, 8))
        for step in range(length):
            slate = [int(item) for item in generator.choice(NUM_ITEMS, SLOTS, replace=False)]
            events = [int(generator.choice([0, 0, 1, 3, 5, 7])) for _ in range(SLOTS)]
            rows.append(
                {
                    "user_id": user * 3,
                    "visit": 0,
                    "step": step,
                    "action": slate,
                    "propensity": float(generator.uniform(0.01, 1)),
                    "events": events,
                    "price": [item + 0.5 for item in slate],
                    "reward": float(sum(events)),
                    "terminated": step == length - 1 and user % 2 == 0,
                    "truncated": step == length - 1 and user % 2 == 1,
                    "history_items": [item for item, _ in history],
                    "history_events": [mask for _, mask in history],
                    "last_slate": last[0],
                    "last_events": last[1],
                    "segment": user % 5,
                    "session_step": step,
                }
            )
            clicked = [(item, mask) for item, mask in zip(slate, events, strict=True) if mask & 1]
            history = (history + clicked)[-HISTORY:]
            last = (slate, events)
    columns = {name: np.array([row[name] for row in rows]) for name in COLUMNS}
    return EventLog(**columns, policy="uniform", provenance={"seed": seed, "scenario": "synthetic"})
