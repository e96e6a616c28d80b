"""Which part of the project may import which: the floors of docs/architecture.md, read off the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

# The simulator from the ground up: a module imports its own floor and the floors below it.
# A name stands for a module or for a whole package of recsim_env.
FLOORS: list[list[str]] = [
    ["compiling"],
    ["arithmetic"],
    ["streams"],
    ["config"],
    ["records"],
    ["catalog", "population"],
    ["kernel"],
    ["world"],
    ["policy"],
    ["vector_env"],
    ["env"],
    ["rollout"],
    ["event_log", "metrics"],
    ["scenarios"],
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


def room_of(path: Path) -> str:
    """recsim_env/kernel/step.py -> kernel; recsim_env/streams.py -> streams."""
    return path.parts[1] if len(path.parts) > 2 else path.stem


def room_imported(one: Import) -> str | None:
    """The room of recsim_env that an import reaches; a name taken from the package counts as the top."""
    package, _, rest = one.target.partition(".")
    if package != "recsim_env":
        return None
    room = rest.split(".")[0]
    is_room = (ROOT / package / room).is_dir() or (ROOT / package / f"{room}.py").is_file()
    return room if room and is_room else "__init__"


def upward(found: list[Import]) -> list[str]:
    height = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    wrong = []
    for one in found:
        room = room_imported(one)
        if room is not None and height[room] > height[room_of(one.path)]:
            wrong.append(str(one))
    return wrong


def is_private(one: Import) -> bool:
    """Reaches into recsim_env's kernel or at a name with a leading underscore."""
    package, *rest = one.target.split(".")
    return package == "recsim_env" and (rest[:1] == ["kernel"] or any(part.startswith("_") for part in rest))


def test_every_module_of_the_simulator_has_a_floor():
    rooms = {room_of(path) for path in sources("recsim_env")}
    assert rooms == {room for floor in FLOORS for room in floor}


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
    private = [one.target for one in imports_in(code, Path("agents/dqn.py")) if is_private(one)]
    assert private == ["recsim_env.kernel", "recsim_env.kernel.step.step_user", "recsim_env.streams._round"]


def test_a_name_taken_from_the_package_counts_as_its_top():
    found = list(imports_in("from recsim_env import World", Path("recsim_env/rollout.py")))
    assert upward(found) == [str(found[0])]
