"""Sessions for tests of next-item prediction: random ones, and a file in RetailRocket's form."""

import numpy as np

from benchmarks.experiments import next_item_data as sessions

HOUR = 3_600_000


def events_file(folder, num_visitors=60, chain=5):
    """RetailRocket's form: visitors walk 10, 11, ... in a circle; every third item goes into the cart."""
    generator = np.random.default_rng(0)
    lines = []
    for visitor in range(num_visitors):
        time, item = visitor * HOUR, int(generator.integers(chain))
        for step in range(int(generator.integers(4, 9))):
            kind = "addtocart" if step % 3 == 2 else "view"
            lines.append((time + step * 60_000, f"{visitor},{kind},{10 + item},"))
            item = (item + 1) % chain
        lines.append((time + HOUR // 2, f"{visitor},transaction,{10 + item},7"))
        lines.append((time + HOUR // 3, f"{visitor},view,{1_000 + visitor},"))
    lines.sort()
    path = folder / "events.csv"
    rows = "".join(f"{time},{rest}\n" for time, rest in lines)
    path.write_text("timestamp,visitorid,event,itemid,transactionid\n" + rows)
    return path


def some_sessions(num_sessions=50, seed=0):
    generator = np.random.default_rng(seed)
    length = generator.integers(3, 12, size=num_sessions)
    session = np.repeat(np.arange(num_sessions), length)
    step = np.arange(len(session)) - np.repeat(np.cumsum(length) - length, length)
    item = generator.integers(0, 8, size=len(session))
    return sessions.Interactions(session, item, generator.random(len(session)) < 0.3, 5 * session + step, 8)
