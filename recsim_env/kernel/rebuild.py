"""The kernel with some of its functions replaced: a new user model without a fork of the code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from recsim_env.compiling import compile_options, compiled, plain_function
from recsim_env.kernel import (
    affinity,
    choice,
    drift,
    drivers,
    funnel,
    observation,
    preferences,
    reset,
    reward,
    session,
    step,
    truth,
    visits,
)

MODULES: tuple[ModuleType, ...] = (
    affinity,
    choice,
    funnel,
    preferences,
    session,
    reward,
    observation,
    truth,
    drift,
    visits,
    reset,
    step,
    drivers,
)
ENTRIES = (
    "step_users",
    "reset_users",
    "return_users",
    "offer_users",
    "observe_users",
    "find_invalid",
    "slate_truth_users",
    "item_truth_users",
    "pool_truth_users",
    "advance_users",
)
"""The functions of ``drivers`` that are called from Python."""


def kernel_functions() -> dict[str, Callable[..., Any]]:
    """Every compiled function of the kernel, by its name, as plain Python."""
    found: dict[str, Callable[..., Any]] = {}
    for module in MODULES:
        for name, value in vars(module).items():
            function = plain_function(value)
            if function is not None and function.__module__ == module.__name__:
                found[name] = function
    return found


def build_kernel(replacements: Mapping[str, Callable[..., Any]]) -> SimpleNamespace:
    """The entry functions of a kernel in which some functions are others.

    Only what calls a replaced function, directly or not, is compiled anew; nothing of it is kept on disk.

    Args:
        replacements: name of a kernel function -> a function of the same arguments, plain or compiled.

    Returns:
        the functions of ``ENTRIES``, as attributes.

    Raises:
        TypeError: for a function of other arguments; the message gives those that are expected.
    """
    functions = kernel_functions()
    for name, function in replacements.items():
        _check_signature(name, function, functions[name])
    touched = set(replacements)
    while callers := {
        name
        for name, function in functions.items()
        if name not in touched and touched & set(function.__code__.co_names)
    }:
        touched |= callers
    scopes = {module.__name__: dict(vars(module)) for module in MODULES}
    rebuilt: dict[str, Any] = {
        name: compiled(plain_function(function) or function, cache=False)
        for name, function in replacements.items()
    }
    for name in touched - set(replacements):
        old = functions[name]
        new = FunctionType(old.__code__, scopes[old.__module__], name, old.__defaults__)
        new.__module__, new.__doc__ = old.__module__, old.__doc__
        rebuilt[name] = compiled(new, cache=False, **compile_options(old))
    for scope in scopes.values():
        scope.update({name: function for name, function in rebuilt.items() if name in scope})
    return SimpleNamespace(**{name: rebuilt.get(name, getattr(drivers, name)) for name in ENTRIES})


def _check_signature(name: str, function: Any, expected: Callable[..., Any]) -> None:
    wanted = list(inspect.signature(expected).parameters)
    plain = plain_function(function) or function
    if not callable(plain):
        raise TypeError(f"user model: {name}: expected a function, got {function!r}")
    found = list(inspect.signature(plain).parameters)
    if len(found) != len(wanted):
        raise TypeError(
            f"user model: {name}: expected a function of ({', '.join(wanted)}), "
            f"got one of ({', '.join(found)})"
        )
