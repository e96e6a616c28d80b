"""The render modes: a session's frames as text, as a picture, or printed while it goes on."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from recsim_env.checked import nearest
from recsim_env.frames import Frame, event_names, notable_topics

RENDER_MODES = ("human", "rgb_array", "ansi")
RENDER_FPS = 4

WIDTH = 88  # characters per line
MAX_POSITIONS = 12
MAX_TOPICS = 8
MAX_HISTORY = 10
TREND = 48  # steps in a line of satisfaction or patience
NEW_SCREEN = "\x1b[H\x1b[2J"


def check_render_mode(render_mode: str | None) -> str | None:
    """The mode as given, or a clear error: an unknown mode, or one whose library is missing."""
    if render_mode is not None and render_mode not in RENDER_MODES:
        raise ValueError(f"render_mode: got {render_mode!r}; {nearest(str(render_mode), RENDER_MODES)}")
    if render_mode == "rgb_array" and importlib.util.find_spec("matplotlib") is None:
        raise DependencyNotInstalled(
            "render_mode='rgb_array' draws with matplotlib, which is not installed: "
            "pip install 'recsim_env[render]'. render_mode='ansi' needs nothing."
        )
    return render_mode


def render(frames: Sequence[Frame], render_mode: str) -> str | NDArray[np.uint8] | None:
    """What ``Env.render`` returns: text, a picture, or, for people, nothing but what is printed."""
    if render_mode == "rgb_array":
        from recsim_env.picture import draw_session

        return draw_session(frames)
    if render_mode == "ansi":
        return as_text(frames)
    show(frames)
    return None


def show(frames: Sequence[Frame], stream: Any = None) -> None:
    """Print the latest frame; a terminal is redrawn in place, ``RENDER_FPS`` times a second at most."""
    stream = sys.stdout if stream is None else stream
    in_place = stream.isatty()
    stream.write(f"{NEW_SCREEN if in_place else ''}{as_text(frames)}\n")
    stream.flush()
    if in_place:
        time.sleep(1 / RENDER_FPS)


def as_text(frames: Sequence[Frame]) -> str:
    """The latest frame of a session in plain text, at most ``WIDTH`` characters per line."""
    now = frames[-1]
    rule = "─" * WIDTH
    return "\n".join([*_heading(now), rule, *_slate(now), rule, *_wants(frames), rule, *_mood(frames), rule])


def _heading(now: Frame) -> list[str]:
    who = f"user {now.user_id}   visit {now.visit}   segment {now.segment}"
    what = f"step {now.step}   reward {now.total_reward:.2f} (expected {now.total_expected:.2f})"
    return [f"{who}{what:>{WIDTH - len(who)}}"]


def _slate(now: Frame) -> list[str]:
    if not now.slate:
        return ["nothing shown yet", *_history(now)]
    lines = [f"{'position':>8}  {'item':>8}  {'topic':>6}  {'price':>9}  {'click probability':<24}outcome"]
    for position, shown in enumerate(now.slate[:MAX_POSITIONS]):
        chance = f"{shown.click_prob:.3f} {bar(shown.click_prob, 16)}"
        outcome = ", ".join(event_names(shown.events)) or "-"
        lines.append(
            f"{position:>8}  {shown.item:>8}  {shown.topic:>6}  {shown.price:>9.2f}  {chance:<24}{outcome}"
        )
    if len(now.slate) > MAX_POSITIONS:
        clicked = sum(shown.events > 0 for shown in now.slate[MAX_POSITIONS:])
        lines.append(f"{'':>8}  and {len(now.slate) - MAX_POSITIONS} more, {clicked} of them clicked")
    earned = f"reward {now.reward:.2f} (expected {now.expected_reward:.2f})"
    return [*lines, earned + _ending(now), *_history(now)]


def _ending(now: Frame) -> str:
    if now.back_after:
        return f", the visit is over, and the user is back after {now.back_after} hours"
    return ", and the user has left" if now.ended else ""


def _history(now: Frame) -> list[str]:
    latest = "  ".join(f"{shown.item}:{shown.topic}" for shown in now.history[-MAX_HISTORY:])
    return [f"history (item:topic, latest last)  {latest or 'none'}"[:WIDTH]]


def _wants(frames: Sequence[Frame]) -> list[str]:
    now = frames[-1]
    lines = [f"{'topic':>8}  {'interest':<30}{'long-run taste':>14}    {'satiation':<24}"]
    topics = notable_topics(frames, MAX_TOPICS)
    for topic in topics:
        interest, satiation = now.interest[topic], now.satiation[topic]
        want = f"{interest:+.2f} {bar(interest, 20)}"
        full = f"{satiation:.2f} {bar(satiation, 16)}"
        lines.append(f"{topic:>8}  {want:<30}{now.taste[topic]:>+14.2f}    {full}".rstrip())
    if len(topics) < len(now.interest):
        lines.append(f"{'':>8}  and {len(now.interest) - len(topics)} more topics")
    return lines


def _mood(frames: Sequence[Frame]) -> list[str]:
    satisfaction = [frame.satisfaction for frame in frames[-TREND:]]
    patience = [max(frame.patience, 0.0) for frame in frames[-TREND:]]
    lines = (
        ("satisfaction", f"{satisfaction[-1]:.2f}", trend(satisfaction, 1.0)),
        ("patience", f"{patience[-1]:.1f}", trend(patience, max(frame.patience for frame in frames))),
    )
    return [f"{name:<14}{value:>8}  {line}" for name, value, line in lines]


def bar(share: float, length: int) -> str:
    """A bar of at most ``length`` characters for a share in [0, 1]; what lies outside is cut."""
    eighths = round(8 * length * min(max(float(share), 0.0), 1.0))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def trend(values: Sequence[float], high: float) -> str:
    """One character per value, its height the share of ``high``."""
    levels = "▁▂▃▄▅▆▇█"
    scale = 7 / high if high > 0 else 0.0
    return "".join(levels[round(min(max(value * scale, 0.0), 7.0))] for value in values)
