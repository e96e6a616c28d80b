"""Sharing rows between threads: every row once, errors of any thread, nobody left running."""

import threading

import pytest

from recsim_env import threads


@pytest.fixture(autouse=True)
def four_threads(monkeypatch):
    monkeypatch.setattr(threads, "NUM_THREADS", 4)
    monkeypatch.setattr(threads, "_pools", {})
    yield
    for pool in threads._pools.values():
        pool.shutdown()


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 1_000])
@pytest.mark.parametrize("parallel", [False, True])
def test_every_row_is_served_once_in_pieces_of_the_least_size(count, parallel):
    served, lock = [], threading.Lock()

    def serve(thread, start, stop):
        assert 0 <= thread < 4
        assert stop - start >= 10 or stop == count
        with lock:
            served.extend(range(start, stop))

    threads.split_rows(serve, count, parallel, smallest=10)
    assert sorted(served) == list(range(count))


def test_a_thread_that_is_held_up_holds_up_nobody():
    """While one piece waits for all others to be done, the other threads do them."""
    others_done, served, lock = threading.Event(), [], threading.Lock()

    def serve(thread, start, stop):
        if start == 0:
            assert others_done.wait(30)
        with lock:
            served.append(start)
            if len(served) == 9:
                others_done.set()

    threads.split_rows(serve, 100, parallel=True, smallest=10)
    assert sorted(served) == list(range(0, 100, 10))
    assert served[-1] == 0


@pytest.mark.parametrize("failing", [0, 50])
def test_an_error_of_any_thread_comes_out_when_all_have_stopped(failing):
    running, lock = [0], threading.Lock()

    def serve(thread, start, stop):
        with lock:
            running[0] += 1
        try:
            if start == failing:
                raise RuntimeError("row 7 is bad")
        finally:
            with lock:
                running[0] -= 1

    with pytest.raises(RuntimeError, match="row 7 is bad"):
        threads.split_rows(serve, 100, parallel=True, smallest=10)
    assert running == [0]
