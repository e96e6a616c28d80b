"""The project's metadata, tested versions and package contents agree with one another."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import recsim_env

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("recsim_env", "agents", "benchmarks")
EXTRAS = PROJECT["optional-dependencies"]


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def pinned() -> dict[str, str]:
    lines = (line.strip() for line in (ROOT / "constraints.txt").read_text().splitlines())
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return dict(pairs)


def every_requirement() -> list[Requirement]:
    texts = PROJECT["dependencies"] + [text for extra in EXTRAS.values() for text in extra]
    return [requirement for requirement in map(Requirement, texts) if requirement.name != PROJECT["name"]]


def test_one_version_everywhere():
    assert recsim_env.__version__ == PROJECT["version"]
    assert importlib.metadata.version("recsim_env") == PROJECT["version"]
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_core_depends_on_four_libraries():
    assert names(PROJECT["dependencies"]) == {"gymnasium", "numba", "numpy", "pyarrow"}


def test_numba_is_held_below_an_untested_release():
    # recsim_env.compiling hooks into the compile cache, which is no public interface of Numba.
    (numba,) = (requirement for requirement in every_requirement() if requirement.name == "numba")
    assert "0.61.0" in numba.specifier
    assert "0.70.0" not in numba.specifier


@pytest.mark.parametrize("requirement", every_requirement(), ids=str)
def test_the_tested_version_is_one_that_the_project_declares(requirement):
    version = pinned()[canonicalize_name(requirement.name)]
    assert version in requirement.specifier


def is_as_tested(name: str) -> bool:
    """Installed here in the pinned version; a build of PyTorch calls itself 2.13.0+cpu."""
    try:
        return importlib.metadata.version(name).split("+")[0] == pinned().get(canonicalize_name(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def test_the_constraints_close_over_what_is_needed():
    """Every library that an extra brings in is pinned, whatever depth it comes from."""
    waiting = [(requirement.name, tuple(requirement.extras)) for requirement in every_requirement()]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        for requirement in map(
            Requirement, importlib.metadata.requires(name) or [] if is_as_tested(name) else []
        ):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
                waiting.append((requirement.name, tuple(requirement.extras)))
    accelerator = re.compile(r"^(cuda|nvidia|triton)")  # PyTorch pins these itself, per build and platform
    needed = {canonicalize_name(name) for name, _ in seen if not accelerator.match(name)}
    assert needed - set(pinned()) == set()


def test_the_constraints_name_no_registry():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"#.*|[a-z0-9-]+==[0-9.]+(\.post[0-9]+)?", line), line


def test_the_package_is_marked_as_typed():
    assert (ROOT / "recsim_env" / "py.typed").is_file()


def test_the_map_names_every_module():
    text = (ROOT / "docs" / "architecture.md").read_text()
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    missing = {str(path.relative_to(ROOT)) for path in modules if path.name not in text}
    assert missing == set()


def test_the_map_names_nothing_that_is_gone():
    text = (ROOT / "docs" / "architecture.md").read_text()
    names = {path.name for folder in (*PACKAGES, "tests") for path in (ROOT / folder).rglob("*.py")}
    assert set(re.findall(r"\b\w+\.py\b", text)) - names == set()


def test_the_command_is_installed():
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="recsim-env")
    assert callable(script.load())
