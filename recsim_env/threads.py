"""Sharing a batch between plain threads: the kernel runs without the interpreter's lock.

Ours: rather than Numba's parallel loops, whose default back end aborts when two Python threads enter it and
whose compilation takes longer than the kernel's own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba

NUM_THREADS: int = numba.config.NUMBA_NUM_THREADS
"""How many threads share a large batch: this process's processors, or NUMBA_NUM_THREADS if set."""

_pools: dict[str, ThreadPoolExecutor] = {}
os.register_at_fork(after_in_child=_pools.clear)  # a forked child has the pool but not its threads


def _pool() -> ThreadPoolExecutor:
    if "shared" not in _pools:
        _pools["shared"] = ThreadPoolExecutor(NUM_THREADS, thread_name_prefix="recsim_env")
    return _pools["shared"]


def split_rows(function: Callable[[int, int, int], Any], count: int, parallel: bool) -> None:
    """Call ``function(part, start, stop)`` over the rows 0 .. count - 1: one part, or one for each thread.

    Args:
        function: serves the rows start .. stop - 1; ``part`` numbers the calls, in [0, NUM_THREADS).
        count: number of rows.
        parallel: whether to split.
    """
    parts = min(NUM_THREADS, count) if parallel else 1
    if parts <= 1:
        function(0, 0, count)
        return
    edges = [part * count // parts for part in range(parts + 1)]
    waiting = [_pool().submit(function, part, edges[part], edges[part + 1]) for part in range(1, parts)]
    function(0, edges[0], edges[1])
    for future in waiting:
        future.result()
