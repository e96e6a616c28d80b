"""What a person gets to see of a session: as text, as a picture, printed while it goes on."""

import copy
import importlib.util
import io
import pickle
from itertools import pairwise

import gymnasium
import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled, ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import AddRenderObservation, RenderCollection

from recsim_env import RecommenderEnv
from recsim_env.frames import notable_topics
from recsim_env.render import RENDER_MODES, WIDTH, as_text, bar, show, trend
from recsim_env.truth import slate_truth
from tests.small_worlds import small_world

SLATES = ([0, 1, 2, 3], [7, 9, 11, 5], [30, 20, 10, 0], [59, 58, 57, 56])


def session(render_mode="ansi", slate_size=4, steps=3, **options):
    """A user who stays, after some steps."""
    env = RecommenderEnv(
        world=small_world(slate_size, session={"patience_scale": 1e4}), render_mode=render_mode, **options
    )
    env.reset(seed=3)
    for slate in SLATES[:steps]:
        env.step(np.array(slate) if slate_size > 1 else slate[0])
    return env


def test_the_modes_that_gymnasium_knows():
    assert RecommenderEnv.metadata["render_modes"] == list(RENDER_MODES) == ["human", "rgb_array", "ansi"]
    assert RecommenderEnv.metadata["render_fps"] > 0


@pytest.mark.parametrize("mode", RENDER_MODES)
@pytest.mark.parametrize("env_id", ["recsim_env/Storefront-v0", "recsim_env/StorefrontSlate-v0"])
def test_the_checker_of_gymnasium_has_nothing_to_say(env_id, mode, capsys):
    check_env(gymnasium.make(env_id, render_mode=mode).unwrapped)


@pytest.mark.parametrize("slate_size", [1, 4])
def test_frames_hold_what_happened_and_what_was_likely(slate_size):
    """Every figure of a frame is the environment's own: outcome, hidden state, and truth before the step."""
    env = session(slate_size=slate_size, steps=0)
    plain = RecommenderEnv(world=env.world)
    plain.reset(seed=3)
    total = expected = 0.0
    for step, slate in enumerate(SLATES, start=1):
        action = np.array(slate) if slate_size > 1 else slate[0]
        truth = slate_truth(env.world, plain.state, np.array([slate[:slate_size]]))
        observation, reward, *_ = env.step(action)
        plain.step(action)
        frame, user = env.frames[-1], plain.state[0]
        total, expected = total + reward, expected + truth.expected_reward[0]
        assert (len(env.frames), frame.step) == (step + 1, step)
        assert [one.item for one in frame.slate] == slate[:slate_size]
        assert [one.events for one in frame.slate] == observation["last_events"].tolist()
        assert [one.topic for one in frame.slate] == env.world.items["topic"][slate[:slate_size]].tolist()
        assert [one.price for one in frame.slate] == env.world.items["price"][slate[:slate_size]].tolist()
        assert [one.click_prob for one in frame.slate] == truth.click_prob[0].tolist()
        assert (frame.reward, frame.total_reward) == (reward, pytest.approx(total))
        assert frame.expected_reward == truth.expected_reward[0]
        assert frame.total_expected == pytest.approx(expected)
        known = observation["history_items"] < len(env.world.items)
        assert [one.item for one in frame.history] == observation["history_items"][known].tolist()
        np.testing.assert_array_equal(frame.satiation, user["satiation"])
        np.testing.assert_allclose(frame.interest, env.world.topic_centres @ user["interest"])
        assert (frame.satisfaction, frame.patience) == (user["satisfaction"], user["patience"])
        assert frame.taste_match == pytest.approx(user["interest"] @ user["taste"])


def test_watching_changes_nothing():
    watched, unwatched = session("ansi", steps=0), session(None, steps=0)
    for slate in SLATES:
        first, second = watched.step(np.array(slate)), unwatched.step(np.array(slate))
        assert first[1:] == second[1:]
        for key, value in first[0].items():
            np.testing.assert_array_equal(value, second[0][key])
    assert unwatched.frames == ()


def test_frames_are_not_rewritten():
    env = session(steps=1)
    before, satiation = env.frames[-1], env.frames[-1].satiation.copy()
    env.step(np.array(SLATES[1]))
    assert env.frames[1] is before
    np.testing.assert_array_equal(before.satiation, satiation)


def test_reset_starts_a_new_session_of_frames():
    env = session()
    env.reset()
    assert [(frame.user_id, frame.step, frame.slate) for frame in env.frames] == [(1, 0, ())]


def test_text_shows_slate_outcome_and_state():
    env = session()
    text, frame = env.render(), env.frames[-1]
    assert isinstance(text, str)
    lines = text.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert "step 3" in lines[0]
    assert f"reward {frame.total_reward:.2f}" in lines[0]
    for position, shown in enumerate(frame.slate):
        (line,) = [line for line in lines if line.split()[:2] == [str(position), str(shown.item)]]
        assert f"{shown.price:.2f}" in line
        assert f"{shown.click_prob:.3f}" in line
        assert ("click" in line) == bool(shown.events & 1)
        assert ("like" in line) == bool(shown.events & 2)
        assert ("purchase" in line) == bool(shown.events & 4)
    for topic in range(4):
        assert any(line.split()[:2] == [str(topic), f"{frame.interest[topic]:+.2f}"] for line in lines)
    assert f"{frame.satisfaction:.2f}" in text
    assert f"{frame.patience:.1f}" in text


def test_outcomes_of_all_kinds_come_up():
    """The check above is not empty: users of the small world click, like, buy, and leave things alone."""
    env, seen = session(steps=0), set()
    for _ in range(60):
        env.step(np.array(SLATES[1]))
        seen |= {shown.events for shown in env.frames[-1].slate}
    assert {0, 1, 3, 7} <= seen


@pytest.mark.slow  # a kernel of its own
def test_text_of_long_slates_and_many_topics_stays_readable():
    env = gymnasium.make(
        "recsim_env/Storefront-v0", slate_size=40, history_length=30, render_mode="ansi"
    ).unwrapped
    env.reset(seed=0)
    env.step(np.arange(40))
    lines = env.render().splitlines()
    assert "and 28 more" in "\n".join(lines)
    assert "more topics" in "\n".join(lines)
    assert max(map(len, lines)) <= WIDTH
    assert len(lines) < 40


def test_the_end_is_told():
    env = RecommenderEnv(world=small_world(1, session={"patience_scale": 1e-3}), render_mode="ansi")
    env.reset(seed=0)
    _, _, terminated, _, _ = env.step(0)
    assert terminated
    assert "the user has left" in env.render()


def test_a_picture_keeps_its_size_and_follows_the_session():
    env = session("rgb_array", steps=0)
    pictures = [env.render()]
    for slate in SLATES:
        env.step(np.array(slate))
        pictures.append(env.render())
    for picture in pictures:
        assert (picture.dtype, picture.shape) == (np.uint8, (600, 960, 3))
        assert picture.min() < 60  # ink
        assert (picture == 255).mean() > 0.5  # on white paper
    for one, other in pairwise(pictures):
        assert (one != other).any()
    np.testing.assert_array_equal(env.render(), pictures[-1])
    picture = env.render()
    picture.fill(0)
    np.testing.assert_array_equal(env.render(), pictures[-1])


def test_people_see_every_reset_and_step_without_asking(capsys):
    env = session("human", steps=2)
    printed = capsys.readouterr().out
    assert printed == "".join(f"{as_text(env.frames[: i + 1])}\n" for i in range(3))
    assert "\x1b" not in printed
    assert env.render() is None
    assert capsys.readouterr().out == f"{as_text(env.frames)}\n"


def test_a_terminal_is_redrawn_in_place(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    stream, env = Terminal(), session()
    show(env.frames, stream)
    assert stream.getvalue() == f"\x1b[H\x1b[2J{as_text(env.frames)}\n"
    assert slept == [1 / env.metadata["render_fps"]]


def test_an_unknown_mode_is_one_clear_error():
    with pytest.raises(ValueError, match="render_mode: got 'rgb_aray'; did you mean 'rgb_array'"):
        RecommenderEnv(render_mode="rgb_aray")


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name)
    )
    with pytest.raises(DependencyNotInstalled, match=r"recsim_env\[render\]"):
        RecommenderEnv(render_mode="rgb_array")
    RecommenderEnv(render_mode="ansi")


def test_render_before_reset_and_without_a_mode():
    with pytest.raises(ResetNeeded, match="reset"):
        RecommenderEnv(world=small_world(1), render_mode="ansi").render()
    with pytest.warns(UserWarning, match="render_mode"):
        assert session(None).render() is None


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_copies_go_on_with_the_story_so_far(mode, copied):
    env = session(mode)
    twin = copied(env)
    np.testing.assert_array_equal(env.render(), twin.render())
    twin.step(np.array(SLATES[3]))
    assert (len(env.frames), len(twin.frames)) == (4, 5)
    env.step(np.array(SLATES[3]))
    np.testing.assert_array_equal(env.render(), twin.render())


def test_wrappers_that_need_pictures():
    env = AddRenderObservation(session("rgb_array", steps=0), render_only=True)
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    assert env.step(np.array(SLATES[0]))[0] in env.observation_space
    collected = RenderCollection(session("rgb_array", steps=0))
    collected.reset(seed=0)
    collected.step(np.array(SLATES[0]))
    assert [picture.shape for picture in collected.render()] == [(600, 960, 3)] * 2


def test_a_list_of_texts_by_name():
    env = gymnasium.make("recsim_env/Storefront-v0", render_mode="ansi_list")
    env.reset(seed=0)
    env.step(5)
    first, second = env.render()
    assert "nothing shown yet" in first
    assert "step 1" in second


def test_notable_topics_are_those_that_rose_highest():
    env = session(steps=4)
    frames = env.frames
    peak = np.max([np.maximum(frame.interest, frame.satiation) for frame in frames], axis=0)
    peak = np.maximum(peak, frames[0].taste)
    chosen = notable_topics(frames, 2)
    assert set(chosen) == set(np.argsort(-peak)[:2])
    assert frames[0].taste[chosen[0]] >= frames[0].taste[chosen[1]]
    assert sorted(notable_topics(frames, 99)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("share", "drawn"), [(-1, ""), (0, ""), (0.5, "██"), (1, "████"), (2, "████"), (0.28, "█▏"), (0.01, "")]
)
def test_bars(share, drawn):
    assert bar(share, 4) == drawn


def test_trends():
    assert trend([0.0, 0.5, 1.0, 2.0, -1.0], 1.0) == "▁▅██▁"
    assert trend([0.0, 0.0], 0.0) == "▁▁"
