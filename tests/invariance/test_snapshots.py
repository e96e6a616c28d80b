"""A batch that was put aside in a file goes on, bit for bit, where it was."""

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

import recsim_env  # noqa: F401 - registers the environments

SCENARIOS = ["Storefront-v0", "StorefrontSlate-v0", "Lifetime-v0", "FreshCatalog-v0", "TwoStage-v0"]
SMALL = {"catalog": {"num_items": 300}}
SHORT = {"session": {"patience_scale": 0.5}, "max_episode_steps": 7}


def make(scenario, mode, num_envs=6, **changes):
    arguments = SMALL | SHORT | changes
    return gymnasium.make_vec(f"recsim_env/{scenario}", num_envs=num_envs, autoreset_mode=mode, **arguments)


def serve(env, steps, generator):
    """What the users are shown and what comes of it, step by step."""
    seen, ended = [], 0
    for _ in range(steps):
        masks = env.unwrapped.action_masks().reshape(env.num_envs, -1, env.unwrapped.world.num_choices)
        slates = np.argsort(generator.random(masks[:, 0].shape) - masks[:, 0], axis=1)[:, : masks.shape[1]]
        observation, reward, terminated, truncated, info = env.step(
            slates if masks.shape[1] > 1 else slates[:, 0]
        )
        names = [name for name in sorted(info) if name not in ("final_obs", "final_info")]
        seen.append([*observation.values(), reward, terminated, truncated, *(info[name] for name in names)])
        over = terminated | truncated
        ended += over.sum()
        if env.metadata["autoreset_mode"] is AutoresetMode.DISABLED and over.any():
            observation, _ = env.reset(options={"reset_mask": over})
            seen.append(list(observation.values()))
    return seen, observation, ended


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_another_environment_goes_on_from_a_file(tmp_path, scenario, mode):
    env, other = make(scenario, mode), make(scenario, mode)
    env.reset(seed=11)
    _, last, _ = serve(env, 9, np.random.default_rng(0))
    np.savez(tmp_path / "snapshot.npz", **env.unwrapped.snapshot())
    with np.load(tmp_path / "snapshot.npz", allow_pickle=False) as snapshot:
        observation = other.unwrapped.restore(snapshot)
    for name, column in last.items():
        np.testing.assert_array_equal(observation[name], column)
    (one, _, ended), (two, *_) = (serve(each, 12, np.random.default_rng(1)) for each in (env, other))
    assert ended >= 6
    for mine, its in zip(one, two, strict=True):
        for first, second in zip(mine, its, strict=True):
            np.testing.assert_array_equal(first, second)


def test_a_snapshot_is_not_touched_by_what_follows():
    env = make("Storefront-v0", AutoresetMode.DISABLED)
    env.reset(seed=3)
    snapshot = env.unwrapped.snapshot()
    before = {name: array.copy() for name, array in snapshot.items()}
    env.unwrapped.restore(snapshot)
    serve(env, 9, np.random.default_rng(0))
    for name, array in snapshot.items():
        np.testing.assert_array_equal(array, before[name])


def test_a_snapshot_of_another_batch_is_refused():
    env, larger = (make("Storefront-v0", AutoresetMode.DISABLED, size) for size in (6, 7))
    with pytest.raises(ResetNeeded, match=r"reset\(\) before snapshot"):
        env.unwrapped.snapshot()
    env.reset(seed=0)
    snapshot = env.unwrapped.snapshot()
    with pytest.raises(
        ValueError, match=r"snapshot: state: expected shape \(7, \d+\) of uint8, got shape \(6,"
    ):
        larger.unwrapped.restore(snapshot)
    del snapshot["turn"]
    with pytest.raises(ValueError, match=r"snapshot: turn: expected shape \(6,\) of int64, got none"):
        env.unwrapped.restore(snapshot)


@pytest.mark.parametrize(
    "changes",
    [{"catalog": {"num_items": 200}}, {"user_ids": range(50)}, {"max_episode_steps": 8}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_snapshot_of_an_environment_made_otherwise_is_refused(changes):
    """Their records are of one size."""
    env, other = (
        make("Storefront-v0", AutoresetMode.DISABLED),
        make("Storefront-v0", AutoresetMode.DISABLED, **changes),
    )
    env.reset(seed=0)
    with pytest.raises(ValueError, match="snapshot: expected one of an environment made with the same world"):
        other.unwrapped.restore(env.unwrapped.snapshot())


def test_chosen_users_come_in_their_order_again():
    """Round after round of a list shorter than what is served."""
    env, other = (
        make("Lifetime-v0", AutoresetMode.SAME_STEP, user_ids=[9, 3, 5, 8, 2, 7, 4]) for _ in range(2)
    )
    env.reset(seed=2)
    serve(env, 30, np.random.default_rng(0))
    other.unwrapped.restore(env.unwrapped.snapshot())
    (one, *_), (two, *_) = (serve(each, 30, np.random.default_rng(1)) for each in (env, other))
    for mine, its in zip(one, two, strict=True):
        for first, second in zip(mine, its, strict=True):
            np.testing.assert_array_equal(first, second)
