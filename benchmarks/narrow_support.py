"""`recsim-env narrow-support`: policy gradients from the log of a policy that hardly shows the best items.

The world is `Memoryless-v0` with few items and one decision per user. The expected reward of every item for
every user is known, and so are the value of any policy, the best one, and where a gradient without
correction ends: pi(a|s) proportional to beta(a|s) r(s, a).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.text import Text

from benchmarks.choices import check_file
from benchmarks.experiment import HELD_OUT_SEED
from benchmarks.experiments.frame import written
from benchmarks.experiments.paired import Difference, differences
from benchmarks.progress import run_missing
from benchmarks.rows import over_seeds, row
from benchmarks.saving import run_settings, write_summary
from benchmarks.tasks import Report, Task, TaskFolder, write_json
from benchmarks.terminal import titled_table
from recsim_env import World, get_scenario
from recsim_env.event_log import collect_log
from recsim_env.truth import item_truth

NAME = "narrow-support"
SCENARIO = "Memoryless-v0"
NUM_ITEMS = 20
LOGGING = "softmax:temperature=0.5"
"""Topics that users clicked before, sharply: half of the items have propensities below 1 in 300."""
DECISIONS = 4_000
USERS = 2_000
"""Held-out users, of whom the truth is read; no policy serves them."""
TRAINING: dict[str, Any] = {
    "gamma": 0.0,
    "dim": 16,
    "batch_size": 500,
    "epochs": 10.0,
    "learning_rate": 0.015,
    "acting": "sample",
}
"""The same for every method, not tuned."""
UNCORRECTED = "uncorrected"
METRIC = "expected_reward_minus_uncorrected"
METHODS: dict[str, str] = {
    UNCORRECTED: "uncorrected",
    "plain IPS": "plain-ips",
    "capped": "capped",
    "self-normalised": "snips",
    "POEM": "poem",
    "doubly robust": "doubly-robust",
    "default": "ips",
}
"""Name in the table -> preset."""


def narrow_support(
    *,
    num_seeds: int,
    first_seed: int,
    out: Path,
    jobs: int,
    overwrite: bool,
    json_path: Path | None,
    console: Console,
) -> dict[str, Any]:
    """Run what is missing, then report; see the command's help for the arguments. Returns the summary."""
    check_file(json_path)
    settings = run_settings(
        NAME,
        [Path(__file__)],
        scenario=SCENARIO,
        num_items=NUM_ITEMS,
        logging=LOGGING,
        decisions=DECISIONS,
        training=TRAINING,
        methods=METHODS,
    )
    folder = TaskFolder(out, settings, overwrite)
    seeds = list(range(first_seed, first_seed + num_seeds))
    run_missing(
        NAME,
        [Task(f"seed-{seed}", judge_methods, {"seed": seed}) for seed in seeds],
        folder,
        jobs,
        console,
    )
    results = [folder.result(f"seed-{seed}") for seed in seeds]
    summary = write_summary(folder, **summarise(results, seeds))
    if json_path is not None:
        write_json(json_path, summary)
    console.print(support_table(summary))
    console.print(f"Results and settings: {out}", style="bold", highlight=False, soft_wrap=True)
    return summary


def judge_methods(seed: int, report: Report) -> dict[str, Any]:
    """One log, every method trained on it, and the truth about each.

    Returns:
        {"methods": name -> figures, "reference": name -> value}; figures are `value` of the policy as it
        draws, `effective`, the mean effective share of the rows in training, `largest` weight, and
        `from_biased`, total variation between the frequencies of its items and those of the biased limit.
    """
    from agents import Reinforce, make_logging_policy, preset

    world = World(get_scenario(SCENARIO).config.replace(catalog={"num_items": NUM_ITEMS}))
    logging: Any = make_logging_policy(LOGGING, world).policy
    log = collect_log(world, logging, DECISIONS, seed=seed, max_steps=1)
    states = world.empty_states(USERS)
    first_visit = np.zeros(USERS, np.int64)
    arrays = world.reset(HELD_OUT_SEED, states, np.arange(USERS), world.users(USERS), first_visit)
    observation = arrays.visible(len(world.items))
    reward = item_truth(world, states).expected_reward.astype(np.float64)
    behaviour = logging.item_prob(observation)
    biased = biased_limit(behaviour, reward)
    methods: dict[str, Any] = {}
    for place, (name, method) in enumerate(METHODS.items()):
        reported: list[Mapping[str, float]] = []
        agent = Reinforce(preset(method, **TRAINING)).fit(
            log,
            world.public_catalog,
            seed=seed,
            progress=lambda step, total, metrics, reported=reported: reported.append(metrics),  # type: ignore[misc]
        )
        prob = agent.item_prob(observation)
        methods[name] = {
            "value": value_of(prob, reward),
            "effective": float(np.mean([metrics["effective"] for metrics in reported])),
            "largest": max(metrics["max_weight"] for metrics in reported),
            "from_biased": float(0.5 * np.abs(prob.mean(axis=0) - biased.mean(axis=0)).sum()),
        }
        report((place + 1) / len(METHODS))
    reference = {
        "logging": value_of(behaviour, reward),
        "biased limit": value_of(biased, reward),
        "optimum": float(reward.max(axis=1).mean()),
    }
    return {"methods": methods, "reference": reference}


def biased_limit(behaviour: np.ndarray, reward: np.ndarray) -> np.ndarray:
    """[B, N]: where REINFORCE without correction ends, pi proportional to beta r.

    Of a policy that sees rewards [B, N] as they are; one that sees less of the user ends at their mean.

    Source: Chen et al. (2019), the off-policy simulation.
    """
    limit = behaviour * reward
    return limit / limit.sum(axis=1, keepdims=True)


def value_of(prob: np.ndarray, reward: np.ndarray) -> float:
    """Expected reward of one decision, from probabilities and true rewards [B, N]."""
    return float((prob * reward).sum(axis=1).mean())


def summarise(results: list[dict[str, Any]], seeds: list[int]) -> dict[str, Any]:
    """Means over seeds, with the interval of the value and its width; every method against no correction."""
    rows, worth = [], {}
    for name in METHODS:
        found = [result["methods"][name] for result in results]
        values = worth[name] = np.array([one["value"] for one in found])
        rows.append(
            {
                **row(NAME, SCENARIO, name, "expected_reward", over_seeds(values)),
                "spread": float(values.std(ddof=1)) if len(values) > 1 else None,
                **{key: float(np.mean([one[key] for one in found])) for key in ("effective", "from_biased")},
                "largest": float(np.max([one["largest"] for one in found])),
            }
        )
    corrected = [name for name in METHODS if name != UNCORRECTED]
    pairs = [(worth[name], worth[UNCORRECTED]) for name in corrected]
    compared = dict(zip(corrected, differences(pairs), strict=True)) if len(seeds) > 1 else {}
    return {
        "scenario": f"{SCENARIO}, {NUM_ITEMS} items",
        "logging": LOGGING,
        "decisions": DECISIONS,
        "seeds": seeds,
        "reference": results[0]["reference"],
        "rows": [*rows, *(one.row(NAME, SCENARIO, name, METRIC) for name, one in compared.items())],
        "findings": findings(compared, rows, results[0]["reference"]),
    }


def findings(
    compared: Mapping[str, Difference], rows: Sequence[Mapping[str, Any]], reference: Mapping[str, float]
) -> list[dict[str, Any]]:
    """What every method is worth, and whether that is more than without correction on the same logs."""
    known = ", ".join(f"{name} {value:.3f}" for name, value in reference.items())
    worth = ", ".join(f"{one['agent']} {one['value']:.3f}" for one in rows)
    said = [{"text": f"Expected reward of a decision: {worth}. Known exactly: {known}.", "shown": True}]
    for name, one in compared.items():
        verdict = "is worth more than" if one.interval.mean > 0 else "is worth less than"
        verdict = verdict if one.shown else "is not shown to differ from"
        text = f"{name} {verdict} no correction, by {written(one.interval, 3)} (Holm p = {one.p:.3f})."
        said.append({"text": text[0].upper() + text[1:], "shown": one.shown})
    return said


def support_table(summary: Mapping[str, Any]) -> RenderableType:
    """What the summary says, as a table."""
    title = f"{summary['scenario']}, {len(summary['seeds'])} logs of {summary['decisions']:,} decisions by "
    title += str(summary["logging"])
    table = titled_table(title)
    table.add_column("method", no_wrap=True)
    for heading in ("value", "95% interval", "width", "sd", "effective", "largest weight", "from beta x r"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in summary["rows"]:
        if "spread" not in one:
            continue
        known = one["lower"] is not None
        table.add_row(
            one["agent"],
            f"{one['value']:.3f}",
            f"[{one['lower']:.3f}, {one['upper']:.3f}]" if known else "-",
            f"{one['upper'] - one['lower']:.3f}" if known else "-",
            "-" if one["spread"] is None else f"{one['spread']:.3f}",
            f"{one['effective']:.0%}",
            f"{one['largest']:.1f}",
            f"{one['from_biased']:.2f}",
        )
    reference = ", ".join(f"{name} {value:.3f}" for name, value in summary["reference"].items())
    lines = (
        f"Values known exactly: {reference}.",
        "Effective: sample size in training, of the minibatch. From beta x r: total variation between how "
        "often items are shown and the limit without correction.",
    )
    return Group(table, Text("\n".join(lines), style="dim"))
