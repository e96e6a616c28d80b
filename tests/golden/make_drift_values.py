"""Golden values of a change detector, made by the library that people compare with; imports nothing of ours.

    python3.11 -m venv river && river/bin/pip install river==0.26.1
    river/bin/python tests/golden/make_drift_values.py

Writes `drift_values.json`: streams (of Python's own generator, the same everywhere), settings, and the places
at which river's Page-Hinkley test found a change; `test_drift_values.py` compares ours.
"""

from __future__ import annotations

import json
import random
from importlib import metadata
from pathlib import Path

FILE = Path(__file__).with_name("drift_values.json")
SETTINGS = [
    {"delta": 0.005, "threshold": 50.0, "forgetting": 0.9999, "warm_up": 30},
    {"delta": 0.02, "threshold": 5.0, "forgetting": 1.0, "warm_up": 30},
    {"delta": 0.1, "threshold": 3.0, "forgetting": 0.99, "warm_up": 10},
    {"delta": 0.25, "threshold": 12.0, "forgetting": 1.0, "warm_up": 2},
]
LENGTH = 600


def streams() -> dict[str, list[float]]:
    """Steady, up, down, to and fro, slow, and conversions."""
    luck = random.Random(1)
    shapes = {
        "steady": lambda t: 0.0,
        "up": lambda t: 1.5 * (t >= 300),
        "down": lambda t: -1.5 * (t >= 250),
        "to and fro": lambda t: 2.0 * (t // 120 % 2),
        "slow": lambda t: t / 200,
    }
    found = {
        name: [round(mean(t) + luck.gauss(0, 1), 6) for t in range(LENGTH)] for name, mean in shapes.items()
    }
    found["conversions"] = [float(luck.random() < (0.1 if t < 300 else 0.5)) for t in range(LENGTH)]
    return found


def main() -> None:
    """Write the file."""
    from river.drift import PageHinkley

    cases = []
    for name, stream in streams().items():
        for settings in SETTINGS:
            test = PageHinkley(
                min_instances=settings["warm_up"],
                delta=settings["delta"],
                threshold=settings["threshold"],
                alpha=settings["forgetting"],
                mode="both",
            )
            alarms = []
            for place, number in enumerate(stream):
                test.update(number)
                if test.drift_detected:
                    alarms.append(place)
            cases.append({"stream": name, "settings": settings, "alarms": alarms})
    document = {"river": metadata.version("river"), "streams": streams(), "cases": cases}
    FILE.write_text(json.dumps(document) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
