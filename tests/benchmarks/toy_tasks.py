"""Small tasks for the runner's tests; run as a script they are a whole run that can be killed."""

import os
import sys
import time

import numpy as np

from benchmarks.tasks import Task, TaskFolder
from benchmarks.workers import run_tasks


class Recorder:
    """A display that remembers what it was told."""

    def __init__(self):
        self.started, self.updates, self.finished = [], [], {}

    def start(self, name):
        self.started.append(name)

    def update(self, name, fraction):
        self.updates.append((name, fraction))

    def finish(self, name, seconds, error):
        self.finished[name] = error


def square(value, report):
    report(0.5)
    return {"square": value**2, "process": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}


def fail(report):
    raise ValueError("no such luck")


def vanish(report):
    os._exit(9)


def vanish_once(marker, seed, report):
    """Lose the process at the first try; `draws` at the second."""
    if not os.path.exists(marker):
        open(marker, "w").close()
        os._exit(9)
    return draws(seed, report)


def draws(seed, report):
    """Linear algebra and training, whose last bits depend on the number of threads."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    weight, data = (torch.randn(400, 400, generator=generator) for _ in range(2))
    weight.requires_grad_()
    for _ in range(3):
        (weight @ data).tanh().square().mean().backward()
        weight = (weight - weight.grad).detach().requires_grad_()
    square = np.random.default_rng(seed).normal(size=(300, 300))
    return {"torch": float(weight.detach().sum()), "numpy": float((square @ square).sum())}


def slow(seconds, report):
    time.sleep(seconds)
    return {"slept": seconds}


def tasks_of(num_quick, seconds):
    return [Task(f"quick-{index}", square, {"value": index}) for index in range(num_quick)] + [
        Task("slow", slow, {"seconds": seconds})
    ]


if __name__ == "__main__":
    run_tasks(tasks_of(2, float(sys.argv[2])), TaskFolder(sys.argv[1], {"a": 1}), jobs=1, display=Recorder())
