"""A user model of your own: users who go on looking after a click.

The dependent click model (Guo, Liu and Wang 2009): look downwards, click with sigmoid(utility), and after
each click go on with probability 0.6. Run me: I compare its clicks by position with those of the cascade
model.
"""

import numba
import numpy as np

from recsim_env import UserModel, World, WorldConfig
from recsim_env.arithmetic import ONE, ZERO, sigmoid
from recsim_env.truth import slate_truth

GO_ON = np.float32(0.6)


@numba.njit
def choose(model, utility, examination, uniforms, race, count, width, clicked):
    """Clicks from the top down; the user's own number decides how many, P(more than j may be) = 0.6^j."""
    num_clicks, go_on = 0, ONE
    for k in range(count):
        if examination[k] > ZERO and uniforms[k] < sigmoid(utility[k]):
            clicked[num_clicks] = k
            num_clicks += 1
            go_on *= GO_ON
            if uniforms[count] >= go_on:
                break
    return num_clicks


@numba.njit
def click_probs(model, utility, examination, count, probs):
    """P(click k) = P(look at k) sigmoid(v_k); P(look at k + 1) = P(look at k) (1 - 0.4 sigmoid(v_k))."""
    looks = ONE
    for k in range(count):
        attraction = sigmoid(utility[k]) if examination[k] > ZERO else ZERO
        probs[k] = looks * attraction
        looks *= ONE - attraction + attraction * GO_ON


USER_MODEL = UserModel(choose=choose, click_probs=click_probs)


def main():
    """Print the mean click probability of each position under both models."""
    config = WorldConfig().replace(slate_size=4, choice={"model": "cascade", "position_exponent": 0.0})
    users = np.arange(5_000)
    slates = np.random.default_rng(0).permuted(np.tile(np.arange(1_000), (len(users), 1)), axis=1)[:, :4]
    for name, world in (("cascade", World(config)), ("dependent clicks", World(config, USER_MODEL))):
        states = world.empty_states(len(users))
        world.reset(0, states, users, users, np.zeros_like(users))
        expected = slate_truth(world, states, slates).click_prob.mean(axis=0)
        world.step(0, states, slates)
        seen = (states["last_events"] > 0).mean(axis=0)
        print(f"{name:17} expected {expected.round(4)}, seen {seen.round(4)}")


if __name__ == "__main__":
    main()
