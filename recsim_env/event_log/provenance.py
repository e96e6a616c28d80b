"""Which code a result comes from."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def source_commit() -> str | None:
    """The git commit of the running code, "-dirty" appended when the packages differ from it.

    None when the code does not run from a checkout of its own (an installed wheel).
    """
    if _git("ls-files", "--error-unmatch", "recsim_env/event_log/provenance.py") is None:
        return None
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", "recsim_env", "agents", "benchmarks")
    return f"{commit}-dirty" if commit and changed else commit


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
