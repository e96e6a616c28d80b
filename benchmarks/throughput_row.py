"""One measurement of `recsim-env throughput`, in a process of its own so that its peak memory is its own.

Run as a file with a case as JSON; prints the measurement as JSON. It imports the measured simulator only,
so that the interpreter of another environment can run it too.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

NUM_ACTIONS = 64
"""Random actions are drawn before the clock starts, and used in turn."""

SINGLE_CHUNK = 500
"""Steps of a single environment between looks at the clock."""

MEBIBYTE = 2**20


def measure(case: dict[str, Any]) -> dict[str, float]:
    """Step an environment with random actions for some seconds, resets included.

    Args:
        case: dict with `kind` ("single" or "batch"), `id`, `options` (for gym.make or gym.make_vec),
            `num_users` (of a batch), `imports` (modules), `seconds` (to measure, after a warm-up of a fifth
            of it) and `seed`.

    Returns:
        {"rate": user-steps per second, "peak_mib": peak memory of this process,
        "first_step_seconds": from making the environment to the end of its first step, compiling included}.
    """
    import gymnasium as gym

    for module in case["imports"]:
        __import__(module)
    began = time.perf_counter()
    run = _single if case["kind"] == "single" else _batch
    env: Any
    if case["kind"] == "single":
        env = gym.make(case["id"], **case["options"])
    else:
        env = gym.make_vec(case["id"], num_envs=case["num_users"], **case["options"])
    env.reset(seed=case["seed"])
    env.action_space.seed(case["seed"])
    actions = [env.action_space.sample() for _ in range(NUM_ACTIONS)]
    env.step(actions[0])
    first_step = time.perf_counter() - began
    env.reset(seed=case["seed"])
    run(env, actions, case["seconds"] / 5)
    rate = run(env, actions, case["seconds"])
    return {"rate": rate, "peak_mib": peak_bytes() / MEBIBYTE, "first_step_seconds": first_step}


def peak_bytes() -> int:
    """Peak resident memory of this process.

    On Linux `getrusage` also counts the parent's memory at the time of the fork; /proc knows better.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _single(env: Any, actions: list[Any], seconds: float) -> float:
    """User-steps per second of one environment; an episode that ends is reset at once."""
    env.reset()
    steps = 0
    began = now = time.perf_counter()
    while now - began < seconds:
        for index in range(SINGLE_CHUNK):
            _, _, terminated, truncated, _ = env.step(actions[index % NUM_ACTIONS])
            if terminated or truncated:
                env.reset()
        steps += SINGLE_CHUNK
        now = time.perf_counter()
    return steps / (now - began)


def _batch(env: Any, actions: list[Any], seconds: float) -> float:
    """User-steps per second of a batch that resets itself; rows that are being reset are not counted."""
    import numpy as np

    env.reset()
    done = np.zeros(env.num_envs, dtype=bool)
    steps = calls = 0
    began = now = time.perf_counter()
    while now - began < seconds:
        for _ in range(max(1, SINGLE_CHUNK // env.num_envs)):
            steps += env.num_envs - np.count_nonzero(done)
            _, _, terminated, truncated, _ = env.step(actions[calls % NUM_ACTIONS])
            done = terminated | truncated
            calls += 1
        now = time.perf_counter()
    return steps / (now - began)


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
