"""Your own user model: functions that take the place of the kernel's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Function = Callable[..., Any]


@dataclass(frozen=True)
class UserModel:
    """Functions that replace parts of how users choose, like, buy and change; what is None stays.

    Each takes the arguments of the function of the same name in ``recsim_env.kernel`` (the file is given
    below; its docstring says shapes and dtypes), written as plain Python or with ``numba.njit``. It is
    compiled into the kernel, so it must be Numba's Python, must not allocate, must draw nothing by itself
    (randomness comes as uniform numbers among its arguments) and must change only what its docstring says.
    ``recsim_env.testing.UserModelConformance`` checks that. With ``NUMBA_DISABLE_JIT=1`` everything runs as
    plain Python.

    Attributes:
        utility: affinity.py, (params, state, item, item_match, outside) -> float32, utility of a click.
        choose: choice.py, (model, utility, examination, uniforms, race, count, width, clicked) -> number of
            clicks, their positions in ``clicked``.
        click_probs: choice.py, (model, utility, examination, count, probs): the closed form of ``choose``;
            one cannot be replaced without the other.
        like_prob: funnel.py, (params, item, item_match) -> float32, probability of a like after a click.
        purchase_prob: funnel.py, (params, state, item, item_match, liked) -> float32.
        drift_interest: preferences.py, (params, items, state, slate, events, clicked, num_clicks, noise,
            dim): moves ``state.interest``.
        satiate: preferences.py, (params, items, state, slate, events, examination, num_topics): moves
            ``state.satiation``.
        satisfy: preferences.py, (params, items, state, slate, clicked, num_clicks): moves
            ``state.satisfaction``.
        initial_patience: session.py, (params, u) -> float32, patience at the start of a visit.
        spend_patience: session.py, (params, patience, satisfaction, engaged, bored) -> float32, patience
            after a step.

    Raises:
        ValueError: ``choose`` without ``click_probs``, or the reverse.
    """

    utility: Function | None = None
    choose: Function | None = None
    click_probs: Function | None = None
    like_prob: Function | None = None
    purchase_prob: Function | None = None
    drift_interest: Function | None = None
    satiate: Function | None = None
    satisfy: Function | None = None
    initial_patience: Function | None = None
    spend_patience: Function | None = None

    def __post_init__(self) -> None:
        if (self.choose is None) != (self.click_probs is None):
            given, missing = ("choose", "click_probs") if self.choose else ("click_probs", "choose")
            raise ValueError(
                f"UserModel: {missing}: expected a function beside {given}, whose closed form must be that "
                "of its draws, got None"
            )

    @property
    def replacements(self) -> dict[str, Function]:
        """The functions that are given, by name."""
        values = {spec.name: getattr(self, spec.name) for spec in dataclasses.fields(self)}
        return {name: function for name, function in values.items() if function is not None}

    @property
    def sources(self) -> dict[str, str]:
        """Where the functions that are given come from, by name: 'module.function'."""
        return {
            name: f"{function.__module__}.{function.__qualname__}"
            for name, function in self.replacements.items()
        }
