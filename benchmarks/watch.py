"""`recsim-env watch`: one session of one user with one agent, as a page that replays it step by step."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.choices import check_file, find_policy, find_scenario
from benchmarks.errors import UsageError
from benchmarks.provenance import provenance
from recsim_env import Policy, RecommenderEnv, World, get_scenario
from recsim_env.event_log import replacing
from recsim_env.frames import Frame, Shown, event_names, notable_topics

SCRIPTS = ("session.js", "charts.js", "page.js")
PAGE_TOPICS = 10
DIGITS = 6

NAMES = {"myopic": "myopic oracle", "logging": "logging policy"}
END_LEFT = "The user has run out of patience and leaves."
END_HORIZON = "The session is cut here, at the horizon of the scenario."
END_STEPS = "The recording ends here; the session would go on."


def watch(
    *,
    scenario: str,
    agent: str,
    user: int,
    seed: int,
    steps: int | None,
    out: Path,
    json_path: Path | None,
    console: Console,
) -> list[dict[str, Any]]:
    """Serve a user and write the page; see the command's help for the arguments. Returns one row per step."""
    check_file(out, "--out")
    check_file(json_path)
    chosen = get_scenario(find_scenario(scenario))
    world = World(chosen.config)
    policy = find_agent(agent, world)
    horizon = chosen.max_episode_steps
    try:
        frames = play_session(world, policy, user, seed, min(steps or horizon, horizon))
    except ValueError as error:
        raise UsageError(f"--agent: {agent} cannot act in {chosen.name}: {error}") from error
    name = NAMES.get(agent, policy.name if Path(agent).is_dir() else agent)
    facts = describe_session(frames, chosen.name, name, seed, horizon)
    with replacing(out) as temporary:
        temporary.write_text(make_page(frames, facts), encoding="utf-8")
    rows = [frame_row(frame) for frame in frames[1:]]
    console.print(f"{facts['about']}. {facts['end']}", highlight=False, soft_wrap=True)
    console.print(f"Page: {out}", style="bold", highlight=False, soft_wrap=True)
    if json_path is not None:
        from benchmarks.saving import write_rows

        write_rows(json_path, "watch", rows)
    return rows


def find_agent(agent: str, world: World) -> Policy:
    """An agent ready to act, as `agents.make_logging_policy` makes it.

    Raises:
        UsageError: there is no such agent, or it was made for another world.
    """
    from agents import AGENTS, ALIASES, POLICIES

    if agent in AGENTS and agent not in POLICIES and agent not in ALIASES:
        raise UsageError(
            f"--agent: {agent} has to learn first; give the folder that a trained one was saved to"
        )
    return find_policy("--agent", agent, world, hidden=True)


def play_session(world: World, policy: Policy, user: int, seed: int, steps: int) -> tuple[Frame, ...]:
    """The frames of a user's first session, at most ``steps`` decisions long.

    Args:
        world: the simulator.
        policy: it reads the hidden state only if it says ``needs_state = True``.
        user: id.
        seed: key of the user's luck; with ``user`` also the seed of the policy's own draws.
        steps: horizon.
    """
    env = RecommenderEnv(world=world, render_mode="ansi")
    observation, _ = env.reset(seed=seed, options={"user_id": user})
    generator = np.random.default_rng([seed, user])
    extra = (env.state,) if getattr(policy, "needs_state", False) else ()
    ended = False
    while not ended and len(env.frames) <= steps:
        batch = {key: np.asarray(value)[None] for key, value in observation.items()}
        observation, _, ended, _, _ = env.step(policy.act(batch, generator, *extra).action[0])
    return env.frames


def describe_session(
    frames: Sequence[Frame], scenario: str, agent: str, seed: int, horizon: int
) -> dict[str, Any]:
    """What the page says of the session as a whole."""
    last, where = frames[-1], provenance()
    end = END_LEFT if last.ended else END_HORIZON if last.step >= horizon else END_STEPS
    commit = f", commit {where['commit'][:12]}" if where["commit"] else ""
    length = f"{last.step} step{'' if last.step == 1 else 's'}"
    return {
        "title": f"{scenario}: user {last.user_id}, served by {agent}",
        "user": last.user_id,
        "about": f"seed {seed}, segment {last.segment}, {length}, reward {last.total_reward:.2f}",
        "end": end,
        "source": f"recsim_env {where['versions']['recsim_env']}, streams {where['stream_version']}{commit}. "
        "Simulated user; hidden state and probabilities are exact.",
    }


def frame_row(frame: Frame, topics: Any = slice(None)) -> dict[str, Any]:
    """A frame as JSON can hold it, with the chosen topics."""
    row = {
        "slate": [_shown_row(shown) for shown in frame.slate],
        "history": [_shown_row(shown) for shown in frame.history],
        "interest": [round(value, DIGITS) for value in frame.interest[topics].tolist()],
        "satiation": [round(value, DIGITS) for value in frame.satiation[topics].tolist()],
    }
    plain = {name: value for name, value in frame._asdict().items() if isinstance(value, int | float)}
    return {
        **{
            name: round(value, DIGITS) if isinstance(value, float) else value for name, value in plain.items()
        },
        **row,
    }


def _shown_row(shown: Shown) -> dict[str, Any]:
    row = {**shown._asdict(), "price": round(shown.price, 2), "outcome": event_names(shown.events)}
    prob = row.pop("click_prob")
    return row if np.isnan(prob) else {**row, "click_prob": round(prob, DIGITS)}


def make_page(frames: Sequence[Frame], facts: dict[str, Any]) -> str:
    """The page, complete in itself: style, script and data are inside, and nothing is loaded."""
    topics = notable_topics(frames, PAGE_TOPICS)
    data = {
        **facts,
        "topics": topics.tolist(),
        "num_topics": len(frames[0].taste),
        "taste": [round(value, DIGITS) for value in frames[0].taste[topics].tolist()],
        "frames": [frame_row(frame, topics) for frame in frames],
    }
    return Template(_part("page.html")).substitute(
        title=html.escape(facts["title"]),
        style=_part("page.css"),
        script="\n".join(_part(name) for name in SCRIPTS),
        session=embed_json(data),
    )


def _part(name: str) -> str:
    return (resources.files("benchmarks") / "page" / name).read_text(encoding="utf-8")


def embed_json(value: Any) -> str:
    """JSON that may stand inside a script element: no text in it can end the element or open another."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
