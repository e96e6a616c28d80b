"""Strategies: which share of the traffic each arm gets, batch after batch. Every one serves R runs at once.

The first six are named as by McClendon, Venkatesh and Morinelli (2025), arXiv 2503.22595, which states
neither their constants nor their formulas; those here are ours, with the sources given.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from recsim_env.deployment.memory import Memory, MemoryMaker
from recsim_env.deployment.moments import COUNT, TOTAL, Moments, means, pooled_variance

Shares = NDArray[np.float64]
"""[R, A], rows sum to 1."""

BISECTIONS = 50
"""Halvings of an interval of upper bounds: more than float64 tells apart."""


class Strategy(ABC):
    """Decides from moments alone, for R independent runs side by side.

    Arms are numbered in the order of admission; arm 0 is the control. ``start`` comes first, then ``admit``
    once per arm, then ``shares`` and ``update`` by turns, with further ``admit`` between them.

    Attributes:
        changed: [R] bool, in which runs the last ``update`` found that the arms have changed.
    """

    changed: NDArray[np.bool_]

    def start(self, num_runs: int) -> None:
        """Begin with no arms in each of so many runs."""
        self.num_runs, self.num_arms = num_runs, 0
        self.changed = np.zeros(num_runs, np.bool_)

    def admit(self, estimate: float | None) -> None:
        """One more arm, with its offline estimate where there is one."""
        self.num_arms += 1

    @abstractmethod
    def shares(self, live: NDArray[np.bool_], generator: np.random.Generator) -> Shares:
        """Shares of the arms; zero where not ``live`` ([R, A] bool, at least one in each row)."""

    def update(self, batch: Moments) -> None:  # noqa: B027
        """Take in what came of a batch: [3, R, A] moments."""


class Newest(Strategy):
    """Whatever was admitted last serves everyone: the paper's naive strategy."""

    def shares(self, live: NDArray[np.bool_], generator: np.random.Generator) -> Shares:
        return all_to(np.where(live, np.arange(self.num_arms), -1.0))


class Validation(Strategy):
    """The best offline estimate at admission serves everyone; arms without one come last."""

    def start(self, num_runs: int) -> None:
        super().start(num_runs)
        self.estimates: list[float] = []

    def admit(self, estimate: float | None) -> None:
        super().admit(estimate)
        self.estimates.append(np.finfo(np.float64).min if estimate is None else estimate)

    def shares(self, live: NDArray[np.bool_], generator: np.random.Generator) -> Shares:
        return all_to(np.where(live, self.estimates, -np.inf))


class Learning(Strategy):
    """A strategy that decides by what it remembers of all arms."""

    def __init__(self, memory: MemoryMaker = Memory) -> None:
        self.make_memory = memory

    def start(self, num_runs: int) -> None:
        super().start(num_runs)
        self.memory = self.make_memory(num_runs)

    def admit(self, estimate: float | None) -> None:
        super().admit(estimate)
        self.memory.grow()

    def update(self, batch: Moments) -> None:
        self.memory.add(batch)


class ABTest(Learning):
    """Equal shares until every arm has its n responses, then one arm for good.

    n = 2 ((z_{1-a/2} + z_{power}) / effect)^2 responses an arm; then the arm of the highest mean, if it
    differs from the control's significantly (two-sided z-test at level a), else the control. a is
    ``level`` divided by the number of comparisons with the control. An arm that is admitted or retired later
    starts the next test, between all live arms.

    Args:
        effect: what is worth finding, in standard deviations of a response.
        level, power: of the test.

    Source: the sample size of a two-sample z-test, e.g. Kohavi, Longbotham, Sommerfield and Henne (2009),
    "Controlled experiments on the web", eq. 1 in its rounded form; Bonferroni.
    """

    def __init__(self, effect: float = 0.05, level: float = 0.05, power: float = 0.8) -> None:
        super().__init__()
        self.effect, self.level, self.power = effect, level, power

    def start(self, num_runs: int) -> None:
        super().start(num_runs)
        self.chosen = np.full(num_runs, -1)
        self.tested = np.zeros((num_runs, 0), np.bool_)

    def admit(self, estimate: float | None) -> None:
        super().admit(estimate)
        self.tested = np.pad(self.tested, ((0, 0), (0, 1)))

    def shares(self, live: NDArray[np.bool_], generator: np.random.Generator) -> Shares:
        new = (live != self.tested).any(axis=1)
        self.memory.restart(new, np.zeros_like(self.memory.sums))
        self.chosen[new] = -1
        self.tested = live.copy()
        testing = self.chosen < 0
        chosen = np.arange(self.num_arms) == self.chosen[:, None]
        return np.where(testing[:, None], equal(live), chosen)

    def responses(self, num_arms: NDArray[np.int64]) -> NDArray[np.float64]:
        """[R] float64: how many responses an arm of a test between so many live arms ([R])."""
        z = np.array([NormalDist().inv_cdf(1 - self._level(k) / 2) for k in num_arms.tolist()])
        needed: NDArray[np.float64] = 2 * ((z + NormalDist().inv_cdf(self.power)) / self.effect) ** 2
        return needed

    def _level(self, num_arms: int) -> float:
        return self.level / max(num_arms - 1, 1)

    def update(self, batch: Moments) -> None:
        super().update(batch)
        num_live = self.tested.sum(axis=1)
        count = np.where(self.tested, self.memory.sums[COUNT], np.inf)
        over = np.flatnonzero((self.chosen < 0) & (count.min(axis=1) >= self.responses(num_live)))
        if len(over) == 0:
            return
        sums = self.memory.sums[:, over]
        mean, variance = means(sums), pooled_variance(sums)
        best = np.where(self.tested[over], mean, -np.inf).argmax(axis=1)
        rows = np.arange(len(over))
        error = np.sqrt(variance * (1 / sums[COUNT][rows, best] + 1 / np.maximum(sums[COUNT][:, 0], 1)))
        z = (mean[rows, best] - mean[:, 0]) / np.maximum(error, 1e-300)
        level = np.array([self._level(k) for k in num_live[over].tolist()])
        bound = np.array([NormalDist().inv_cdf(1 - one / 2) for one in level.tolist()])
        self.chosen[over] = np.where((z > bound) | ~self.tested[over, 0], best, 0)


class EpsilonGreedy(Learning):
    """The highest mean, but for a share epsilon that goes to all live arms alike.

    Source: Sutton and Barto (2018), "Reinforcement learning", section 2.2; of a whole batch, so shares.
    """

    def __init__(self, epsilon: float = 0.05, memory: MemoryMaker = Memory) -> None:
        super().__init__(memory)
        self.epsilon = epsilon

    def shares(self, live: NDArray[np.bool_], generator: np.random.Generator) -> Shares:
        sums = self.memory.sums
        best = all_to(np.where(live, np.where(sums[COUNT] > 0, means(sums), np.inf), -np.inf))
        return (1 - self.epsilon) * best + self.epsilon * equal(live)


class UCB(Learning):
    """Shares as if the batch came one by one, each request to the arm of the highest upper bound.

    mean_a + width * sqrt(2 s^2 log(n) / (n_a + v_a)), n = sum_a n_a, s^2 the variance pooled over the arms,
    v_a the requests of this batch that went to the arm already; means, s^2 and log(n) stand still. Arms
    without responses come first.

    Source: Auer, Cesa-Bianchi and Fischer (2002), UCB1, with the plug-in scale of subgaussian UCB
    (Lattimore and Szepesvári 2020, "Bandit algorithms", ch. 7); the batch as Desautels, Krause and Burdick
    (2014), "Parallelizing exploration-exploitation tradeoffs in Gaussian process bandit optimization". With a
    discounted or sliding memory it is D-UCB or SW-UCB of Garivier and Moulines (2011), up to constants.
    """

    def __init__(self, width: float = 1.0, memory: MemoryMaker = Memory) -> None:
        super().__init__(memory)
        self.width = width

    def start(self, num_runs: int) -> None:
        super().start(num_runs)
        self.batch_size = np.ones(num_runs)

    def update(self, batch: Moments) -> None:
        """As it says there; the next batch is taken to be as large as this one."""
        super().update(batch)
        self.batch_size = np.maximum(batch[COUNT].sum(axis=1), 1.0)

    def shares(self, live: NDArray[np.bool_], generator: np.random.Generator) -> Shares:
        sums = self.memory.sums
        count, mean = sums[COUNT], means(sums)
        unknown = live & (count == 0)
        spread = 2 * pooled_variance(sums) * np.log(np.maximum(count.sum(axis=1), 1.0))
        known = np.where(live, np.where(count == 0, 1.0, count), np.inf)
        filled = filled_bounds(mean, self.width**2 * spread, known, self.batch_size)
        some = unknown.any(axis=1, keepdims=True)
        return np.where(some, equal(np.where(some, unknown, live)), filled)


def filled_bounds(
    mean: NDArray[np.float64],
    spread: NDArray[np.float64],
    count: NDArray[np.float64],
    size: NDArray[np.float64],
) -> Shares:
    """Shares v_a / size of a batch after which the bounds of all arms that got some of it are equal.

    mean_a + sqrt(spread / (n_a + v_a)) = L where v_a > 0, and at most L elsewhere; sum_a v_a = size. The
    level L is found by bisection: the lower it is, the more it takes to get all bounds down to it.

    Args:
        mean: [R, A].
        spread: [R], squared width of the bound of an arm with one response.
        count: [R, A] above 0, responses; infinite for arms that get nothing.
        size: [R] above 0.
    """
    spread = np.maximum(spread, 1e-12)[:, None]
    size = size[:, None]
    mean = np.where(np.isinf(count), -np.inf, mean)
    high = (mean + np.sqrt(spread / count)).max(axis=1, keepdims=True)
    low = (mean + np.sqrt(spread / (count + size))).max(axis=1, keepdims=True)

    def needed(level: NDArray[np.float64]) -> NDArray[np.float64]:
        above = np.maximum(level - mean, 1e-12)
        return np.maximum(spread / above**2 - np.where(np.isinf(count), 0.0, count), 0.0)

    for _ in range(BISECTIONS):
        level = (low + high) / 2
        more = needed(level).sum(axis=1, keepdims=True) > size
        low, high = np.where(more, level, low), np.where(more, high, level)
    given = needed(low)
    shares: Shares = given / given.sum(axis=1, keepdims=True)
    return shares


class Thompson(Learning):
    """Each arm gets the probability, under the posterior, that it is the best.

    mu_a ~ N((T_a + m) / (n_a + 1), s^2 / (n_a + 1)), with m and s^2 the mean and the variance over all arms:
    a prior worth one response. The probability is the share of ``draws`` joint draws in which the arm wins,
    so it is known exactly what was assigned.

    Source: Thompson (1933); normal posterior as in Agrawal and Goyal (2013), "Further optimal regret bounds
    for Thompson sampling". With a discounted memory as in Raj and Kalyani (2017), "Taming non-stationary
    bandits", with a sliding one as in Trovò et al. (2020), "Sliding-window Thompson sampling".
    """

    def __init__(self, draws: int = 100, memory: MemoryMaker = Memory) -> None:
        super().__init__(memory)
        self.draws = draws

    def shares(self, live: NDArray[np.bool_], generator: np.random.Generator) -> Shares:
        sums = self.memory.sums
        count = sums[COUNT] + 1.0
        overall = sums[TOTAL].sum(axis=1) / np.maximum(sums[COUNT].sum(axis=1), 1.0)
        mean = (sums[TOTAL] + overall[:, None]) / count
        # Before the first response there is no scale: any will do, the arms are alike.
        scale = np.sqrt(pooled_variance(sums)) + (sums[COUNT].sum(axis=1) == 0)
        luck = generator.standard_normal((self.draws, *mean.shape))
        value = np.where(live, mean + scale[:, None] / np.sqrt(count) * luck, -np.inf)
        best = value.argmax(axis=2)
        wins = np.stack([(best == arm).mean(axis=0) for arm in range(self.num_arms)], axis=1)
        return wins


def all_to(score: NDArray[np.float64]) -> Shares:
    """The arms of the highest score in each row share alike."""
    best = score == score.max(axis=1, keepdims=True)
    return equal(best)


def equal(live: NDArray[np.bool_]) -> Shares:
    """Equal shares for the live arms."""
    shares: Shares = live / live.sum(axis=1, keepdims=True)
    return shares
