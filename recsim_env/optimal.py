"""The optimal policy of worlds that are small enough for dynamic programming on the true model.

A policy that knows the hidden state, the catalog and all probabilities cannot earn more than this in
expectation: the ceiling that the myopic oracle and every learner can be measured against.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recsim_env.config import WorldConfig
from recsim_env.records import NO_EVENT, Event, Records
from recsim_env.truth import ItemTruth, advance, item_truth
from recsim_env.world import World

MAX_STATES = 3_000_000
CLICK = int(Event.CLICK)


class Solution(Protocol):
    """What a solver returns.

    Attributes:
        horizon: T, decisions per session.
    """

    horizon: int

    def value(self, states: Records) -> NDArray[np.float64]:
        """[B] expected reward from [B] USER_STATE to the end of the session under the optimal policy."""
        ...

    def act(self, states: Records) -> NDArray[np.int64]:
        """[B] optimal items for [B] USER_STATE."""
        ...


def _require(config: WorldConfig, solver: str, wanted: dict[str, float]) -> None:
    """Check that the config switches off what the solver leaves out of its state."""
    if config.slate_size != 1:
        raise ValueError(f"{solver}: slate_size: expected 1, got {config.slate_size}")
    for name, value in wanted.items():
        section, field = name.split(".")
        found = getattr(getattr(config, section), field)
        if found != value:
            raise ValueError(f"{solver}: {name}: expected {value}, got {found}")


def _click_prob(truth: ItemTruth) -> NDArray[np.float64]:
    """[B, N] probability of a click on each item shown alone."""
    return 1 / (1 + np.exp(np.minimum(-truth.utility.astype(np.float64), 80.0)))


def _answer(
    world: World, states: Records, items: NDArray[np.int64], clicked: bool
) -> tuple[Records, NDArray[np.bool_]]:
    """The states after each user saw one item, with or without a click, and whether the session goes on."""
    events = np.full((len(states), 1), CLICK if clicked else NO_EVENT, np.uint8)
    after = advance(world, states, items[:, None], events)
    return after, ~after["ended"]


class _Layer(NamedTuple):
    """The reachable states after t decisions.

    Attributes:
        states: [S] USER_STATE, distinct in what matters.
        after: [S, N, 2] int64, index in the next layer without and with a click; -1 where the session ends.
        reward: [S, N] float64, expected reward of the step.
        click_prob: [S, N] float64.
    """

    states: Records
    after: NDArray[np.int64]
    reward: NDArray[np.float64]
    click_prob: NDArray[np.float64]


def _distinct(states: Records) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(first, inverse) of the distinct rows in what decides the future, as ``np.unique`` gives them."""
    names = (
        "segment",
        "conformity",
        "price_sensitivity",
        "patience",
        "satisfaction",
        "interest",
        "taste",
        "satiation",
    )
    columns = [np.ascontiguousarray(states[name]).reshape(len(states), -1) for name in names]
    raw = np.concatenate([column.view(np.uint8).reshape(len(states), -1) for column in columns], axis=1)
    keys = np.ascontiguousarray(raw).view(np.dtype((np.void, raw.shape[1])))[:, 0]
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return first, inverse


class EnumeratedSolution:
    """Backward induction over every state that can be reached within the horizon: exact up to rounding.

    The interest must not be moved by noise nor by likes and purchases beyond the click, so that an answer is
    a click or none.

    Args:
        world: slates of one; ``drift_scale`` 0 and equal pulls of click, like and purchase.
        states: [B] USER_STATE at the start of their visits; only these users, and what they can become, are
            solved.
        horizon: T.

    Raises:
        ValueError: for another world, or when more than ``MAX_STATES`` states can be reached.

    Source: Bellman (1957), Dynamic programming.
    """

    def __init__(self, world: World, states: Records, horizon: int) -> None:
        pull = world.config.preferences.pull_click
        wanted = {"preferences.drift_scale": 0.0}
        wanted |= {f"preferences.pull_{event}": pull for event in ("like", "purchase")}
        _require(world.config, "EnumeratedSolution", wanted)
        self.world, self.horizon = world, horizon
        layers, self._values = [], [np.zeros(0)] * (horizon + 1)
        reached = self._canonical(states)
        reached = reached[_distinct(reached)[0]]
        for _ in range(horizon):
            layer, reached = self._expand(reached)
            layers.append(layer)
        self._best: list[NDArray[np.int64]] = [np.zeros(0, np.int64)] * horizon
        self._values[horizon] = np.zeros(len(reached))
        for t in reversed(range(horizon)):
            gain = self._gain(layers[t], self._values[t + 1])
            self._best[t] = gain.argmax(axis=1)
            self._values[t] = gain.max(axis=1)
        self._layers = [layer.states for layer in layers]

    def _canonical(self, states: Records) -> Records:
        """The same patience for all whose patience outlasts the horizon anyway: it makes no difference."""
        session = self.world.config.session
        dearest = session.step_cost * (1 + session.boredom_cost)
        states = states.copy()
        ample = 2 * dearest * (self.horizon - states["step"])  # twice, so that no rounding counts
        states["patience"] = np.minimum(states["patience"], ample.astype(np.float32))
        return states

    def _expand(self, states: Records) -> tuple[_Layer, Records]:
        count, num_items = len(states), self.world.config.catalog.num_items
        if count * num_items * 2 > MAX_STATES:
            raise ValueError(
                f"EnumeratedSolution: horizon: more than {MAX_STATES} states can be reached; "
                "expected a smaller world or a shorter horizon"
            )
        truth = item_truth(self.world, states)
        click_prob = _click_prob(truth)
        every, shown = np.repeat(states, num_items), np.tile(np.arange(num_items), count)
        answers = [_answer(self.world, every, shown, clicked) for clicked in (False, True)]
        reached = self._canonical(np.concatenate([after for after, _ in answers]))
        going = np.concatenate([goes_on for _, goes_on in answers])
        first, inverse = _distinct(reached[going])
        after = np.full(len(reached), -1)
        after[going] = inverse
        layer = _Layer(
            states,
            after.reshape(2, count, num_items).transpose(1, 2, 0),
            click_prob * truth.value_of_click,
            click_prob,
        )
        return layer, reached[going][first]

    @staticmethod
    def _gain(layer: _Layer, following: NDArray[np.float64]) -> NDArray[np.float64]:
        """[S, N] expected reward to go of each item."""
        to_go = np.append(following, 0.0)[layer.after]  # index -1: the session is over
        p = layer.click_prob
        return layer.reward + (1 - p) * to_go[..., 0] + p * to_go[..., 1]

    def _find(self, states: Records) -> list[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """(t, rows, index in layer t) of the given states."""
        found = []
        states = self._canonical(states)
        for t in np.unique(states["step"]):
            if t >= self.horizon:
                raise ValueError(f"EnumeratedSolution: step {t}: expected below the horizon {self.horizon}")
            rows = np.flatnonzero(states["step"] == t)
            known = self._layers[t]
            together = np.concatenate([known, states[rows]])
            first, inverse = _distinct(together)
            index = first[inverse[len(known) :]]
            if (index >= len(known)).any():
                row = rows[np.argmax(index >= len(known))]
                raise ValueError(f"EnumeratedSolution: state {row} cannot be reached from those solved for")
            found.append((int(t), rows, index))
        return found

    def value(self, states: Records) -> NDArray[np.float64]:
        """See ``Solution``."""
        values = np.zeros(len(states))
        for t, rows, index in self._find(states):
            values[rows] = self._values[t][index]
        return values

    def act(self, states: Records) -> NDArray[np.int64]:
        """See ``Solution``."""
        items = np.zeros(len(states), np.int64)
        for t, rows, index in self._find(states):
            items[rows] = self._best[t][index]
        return items


_ONLY_SATISFACTION = {
    "choice.affinity_weight": 0.0,
    "population.conformity_mean": 0.0,
    "population.conformity_std": 0.0,
    "population.price_sensitivity_std": 0.0,
    "funnel.like_match": 0.0,
    "funnel.purchase_match": 0.0,
    "preferences.satiation_weight": 0.0,
    "session.boredom_cost": 0.0,
}
"""What a world must switch off so that nothing but satisfaction carries over."""


class SatisfactionSolution:
    """Backward induction over satisfaction, for worlds in which nothing else carries over.

    V_t(h) = max_a P_a(h) (r_a + V_{t+1}(h'_a)) + (1 - P_a(h)) V_{t+1}(h) on a grid of satisfactions, linear
    between its points.

    Args:
        world: slates of one, to users who differ in nothing but satisfaction and never run out of patience.
        horizon: T.
        points: of the grid.

    Attributes:
        error: largest difference at any grid point and time from the solution on half as many points, an
            estimate of the error of the coarser one.

    Raises:
        ValueError: for a world in which more than satisfaction matters.

    Source: Bellman (1957), Dynamic programming.
    """

    def __init__(self, world: World, horizon: int, points: int = 2_001) -> None:
        _require(world.config, "SatisfactionSolution", _ONLY_SATISFACTION)
        least_patience = world.config.session.patience_scale * 1e-6
        if horizon * world.config.session.step_cost > least_patience:
            raise ValueError(
                "SatisfactionSolution: session.patience_scale: expected patience that outlasts the horizon, "
                f"got {world.config.session.patience_scale} at {world.config.session.step_cost} per step"
            )
        if points < 5 or points % 2 == 0:
            raise ValueError(f"SatisfactionSolution: points: expected an odd number from 5 on, got {points}")
        self.world, self.horizon = world, horizon
        self._grid = np.linspace(0, 1, points)
        states = world.empty_states(points)
        states["satisfaction"] = self._grid
        self._click_prob, self._reward, self._after = self._model(states)
        self._values = self._solve(slice(None))
        coarse = self._solve(slice(None, None, 2))
        self.error = float(np.abs(self._values[:, ::2] - coarse).max())

    def _model(self, states: Records) -> tuple[NDArray[np.float64], ...]:
        """[B, N] click probability, expected reward, and satisfaction after a click, of each item."""
        truth = item_truth(self.world, states)
        click_prob = _click_prob(truth)
        num_items = self.world.config.catalog.num_items
        every, shown = np.repeat(states, num_items), np.tile(np.arange(num_items), len(states))
        after, _ = _answer(self.world, every, shown, clicked=True)
        return (
            click_prob,
            click_prob * truth.value_of_click,
            after["satisfaction"].astype(np.float64).reshape(len(states), num_items),
        )

    def _solve(self, every: slice) -> NDArray[np.float64]:
        """[T + 1, points] values on a part of the grid."""
        grid = self._grid[every]
        p, reward, after = self._click_prob[every], self._reward[every], self._after[every]
        values = np.zeros((self.horizon + 1, len(grid)))
        for t in reversed(range(self.horizon)):
            clicked = np.interp(after, grid, values[t + 1])
            values[t] = (reward + p * clicked + (1 - p) * values[t + 1][:, None]).max(axis=1)
        return values

    def value(self, states: Records) -> NDArray[np.float64]:
        """See ``Solution``."""
        values = np.zeros(len(states))
        for t in np.unique(states["step"]):
            rows = states["step"] == t
            values[rows] = np.interp(states["satisfaction"][rows], self._grid, self._values[t])
        return values

    def act(self, states: Records) -> NDArray[np.int64]:
        """See ``Solution``."""
        p, gain, after = self._model(states)
        for t in np.unique(states["step"]):
            rows = states["step"] == t
            following = self._values[t + 1]
            clicked = np.interp(after[rows], self._grid, following)
            unclicked = np.interp(states["satisfaction"][rows], self._grid, following)
            gain[rows] += p[rows] * clicked + (1 - p[rows]) * unclicked[:, None]
        return gain.argmax(axis=1)
