"""Which part of the project may import which: the floors of docs/architecture.md, read off the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

# The simulator from the ground up: a module imports its own floor and the floors below it.
# A name stands for a module of recsim_env, or for a package of it whose own modules are on one floor.
FLOORS: list[list[str]] = [
    ["checked", "compiling", "policy", "spaces", "threads"],
    ["arithmetic", "deployment"],
    ["streams"],
    ["config"],
    ["records", "scenarios"],
    ["catalog", "interface"],
    # one user, one step
    ["kernel.affinity", "kernel.choice", "kernel.draws", "kernel.funnel", "kernel.observation"],
    ["kernel.drift", "kernel.preferences", "kernel.reward", "kernel.session"],
    ["kernel.truth", "kernel.visits"],
    ["kernel.reset", "kernel.step"],
    ["kernel.drivers"],
    ["kernel.rebuild"],
    ["kernel", "user_model"],
    # many users
    ["world"],
    ["actions", "truth"],
    ["one_user", "rollout"],
    ["event_log", "metrics", "ope", "optimal"],
    ["scripted"],
    ["replay"],
    # what a person looks at
    ["frames", "snapshots"],
    ["picture"],
    ["render"],
    ["env", "testing", "vector_env", "wrappers"],
    ["__init__"],
]


class Import(NamedTuple):
    """One imported module or name, by its full dotted path."""

    path: Path
    line: int
    target: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.target}"


def sources(package: str) -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py"))


def imports_in(code: str, path: Path) -> Iterator[Import]:
    """Every import statement, wherever it stands; `from a import b` counts as a.b: b may be a module."""
    package = path.parent.parts
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (Import(path, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (Import(path, node.lineno, f"{module}.{alias.name}") for alias in node.names)


def imports_of(package: str) -> list[Import]:
    return [found for path in sources(package) for found in imports_in((ROOT / path).read_text(), path)]


def offences(found: list[Import], *forbidden: str) -> list[str]:
    return [str(one) for one in found if one.target.split(".")[0] in forbidden]


def floor_of(name: str) -> int | None:
    """Floor of a dotted name below recsim_env, or of the package that holds it; None if it has none."""
    heights = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    while name and name not in heights:
        name = name.rpartition(".")[0]
    return heights.get(name)


def room_of(path: Path) -> str:
    """recsim_env/kernel/step.py -> kernel.step, recsim_env/kernel/__init__.py -> kernel."""
    parts = path.with_suffix("").parts[1:]
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def height_imported(one: Import) -> int | None:
    """Floor that an import reaches; a name taken from the package itself counts as its top."""
    package, _, rest = one.target.partition(".")
    if package != "recsim_env":
        return None
    floor = floor_of(rest)
    return len(FLOORS) - 1 if floor is None else floor


def upward(found: list[Import]) -> list[str]:
    wrong = []
    for one in found:
        own, reached = floor_of(room_of(one.path)), height_imported(one)
        if own is not None and reached is not None and reached > own:
            wrong.append(str(one))
    return wrong


def is_private(one: Import) -> bool:
    """Reaches into recsim_env's kernel or at a name with a leading underscore."""
    package, *rest = one.target.split(".")
    return package == "recsim_env" and (rest[:1] == ["kernel"] or any(part.startswith("_") for part in rest))


def test_every_module_of_the_simulator_has_a_floor():
    assert [str(path) for path in sources("recsim_env") if floor_of(room_of(path)) is None] == []


def test_every_floor_is_built():
    rooms = {room_of(path) for path in sources("recsim_env")}
    assert {room for floor in FLOORS for room in floor} - rooms == set()


def test_the_simulator_imports_neither_agents_nor_benchmarks():
    assert offences(imports_of("recsim_env"), "agents", "benchmarks", "torch", "stable_baselines3") == []


def test_floors_of_the_simulator_import_only_downwards():
    assert upward(imports_of("recsim_env")) == []


def test_agents_do_not_import_benchmarks():
    assert offences(imports_of("agents"), "benchmarks") == []


@pytest.mark.parametrize("package", ["agents", "benchmarks"])
def test_only_public_names_of_the_simulator_are_imported(package):
    assert [str(one) for one in imports_of(package) if is_private(one)] == []


@pytest.mark.parametrize("package", ["recsim_env", "agents", "benchmarks"])
def test_nothing_is_pickled(package):
    assert offences(imports_of(package), "pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal") == []


@pytest.mark.parametrize(
    ("code", "target"),
    [
        ("import recsim_env.env", "recsim_env.env"),
        ("from recsim_env import env", "recsim_env.env"),
        ("from recsim_env.env import RecommenderEnv", "recsim_env.env.RecommenderEnv"),
        ("from .. import env", "recsim_env.env"),
        ("from ..env import RecommenderEnv", "recsim_env.env.RecommenderEnv"),
        ("def late():\n    from recsim_env import env", "recsim_env.env"),
    ],
)
def test_the_check_sees_every_form_of_import(code, target):
    found = list(imports_in(code, Path("recsim_env/kernel/step.py")))
    assert [one.target for one in found] == [target]
    assert upward(found) == [str(found[0])]


def test_the_check_tells_public_from_private():
    code = """
from recsim_env import World, kernel
from recsim_env.policy import Decision
from recsim_env.kernel.step import step_user
from recsim_env.streams import _round
"""
    private = [one.target for one in imports_in(code, Path("agents/online/dqn.py")) if is_private(one)]
    assert private == ["recsim_env.kernel", "recsim_env.kernel.step.step_user", "recsim_env.streams._round"]


def test_a_name_taken_from_the_package_counts_as_its_top():
    found = list(imports_in("from recsim_env import World", Path("recsim_env/rollout.py")))
    assert upward(found) == [str(found[0])]
