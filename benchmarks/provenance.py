"""What a result depends on beside its settings: code, versions, machine."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from recsim_env.event_log import source_commit
from recsim_env.streams import STREAM_VERSION

ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTIONS = ("recsim_env", "numpy", "numba", "gymnasium", "torch", "stable-baselines3")


@cache
def provenance() -> dict[str, Any]:
    """Stream version, commit, package versions and machine, JSON-serialisable."""
    return {
        "stream_version": STREAM_VERSION,
        "commit": source_commit(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in DISTRIBUTIONS}},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
    }


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def code_settings() -> dict[str, Any]:
    """What of the code a result depends on, for the settings by which results are told apart."""
    return {"stream_version": STREAM_VERSION, "source_code": code_hash()}


@cache
def code_hash() -> str:
    """A short hash of the code that results depend on: the simulator, the agents, and how they are run."""
    packages = [ROOT / "recsim_env", ROOT / "agents"]
    files = [path for package in packages for path in sorted(package.rglob("*.py"))]
    return hash_files([*files, ROOT / "benchmarks" / "experiment.py"])


def hash_files(paths: Iterable[Path]) -> str:
    """A short hash of names and contents."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
