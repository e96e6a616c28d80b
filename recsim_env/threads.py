"""Sharing a batch between plain threads: the kernel runs without the interpreter's lock.

Ours: rather than Numba's parallel loops, whose default back end aborts when two Python threads enter it and
whose compilation takes longer than the kernel's own.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numba

NUM_THREADS: int = numba.config.NUMBA_NUM_THREADS
"""How many threads share a large batch: this process's processors, or NUMBA_NUM_THREADS if set."""

PIECES = 8  # per thread

_pools: dict[str, ThreadPoolExecutor] = {}
os.register_at_fork(after_in_child=_pools.clear)  # a forked child has the pool but not its threads


def _pool() -> ThreadPoolExecutor:
    if "shared" not in _pools:
        _pools["shared"] = ThreadPoolExecutor(NUM_THREADS, thread_name_prefix="recsim_env")
    return _pools["shared"]


def split_rows(function: Callable[[int, int, int], Any], count: int, parallel: bool, smallest: int) -> None:
    """Call ``function(thread, start, stop)`` over the rows 0 .. count - 1, in one piece or shared by threads.

    Each thread takes the next piece when it is done with its last, so that one that wakes late or runs on a
    busy processor holds nobody up.

    Args:
        function: serves the rows start .. stop - 1; ``thread`` is in [0, NUM_THREADS).
        count: number of rows.
        parallel: whether to share.
        smallest: the least number of rows that is worth a call.
    """
    size = max(smallest, -(-count // (NUM_THREADS * PIECES)))
    if not parallel or NUM_THREADS == 1 or count <= size:
        function(0, 0, count)
        return
    starts = deque(range(0, count, size))

    def serve(thread: int) -> None:
        while starts:
            try:
                start = starts.popleft()
            except IndexError:  # another thread took the last piece
                return
            function(thread, start, min(start + size, count))

    waiting = [_pool().submit(serve, thread) for thread in range(1, NUM_THREADS)]
    try:
        serve(0)
    finally:
        wait(waiting)
    for future in waiting:
        future.result()
