"""What a training shows and keeps while it runs: a bar or lines, a file of progress, TensorBoard."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.errors import UsageError
from benchmarks.simulate import LINE_SECONDS

SHOWN = {
    "loss": "loss",
    "value": "value",
    "return": "return",
    "exploration": "exploration",
    "held_out_loss": "held-out loss",
    "held_out_return": "held-out return",
    "held_out_rows": "from rows",
}
"""What of an agent's metrics is shown, and how it is called; all are kept."""


class TrainingDisplay:
    """Shows and keeps the progress of a training; a context manager.

    The file has one JSON object per report: step, total, seconds, and the metrics by name, null where
    undefined. A run that resumes drops the reports behind its checkpoint, which it makes again.

    Args:
        console: a bar when it is a terminal, a line now and then when not.
        title: what is trained.
        kept: file of progress.
        tensorboard: folder for TensorBoard's files; None for none.

    Raises:
        UsageError: TensorBoard is not installed.
    """

    def __init__(self, console: Console, title: str, kept: Path, tensorboard: Path | None) -> None:
        self.console, self.title, self.kept, self.tensorboard = console, title, kept, tensorboard
        self.step = self.total = 0
        self.last_metrics: dict[str, float | None] = {}
        self.writer: Any = None
        self.writer_class = None if tensorboard is None else summary_writer()
        self.first: tuple[int, float] | None = None
        self.began = self.last_line = time.monotonic()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[metrics]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task(title, total=1.0, metrics="")

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()
        if self.writer is not None:
            self.writer.close()
        if kind is None:
            self._summarise()

    def stage(self, name: str) -> None:
        """Another part of the work begins."""
        self.bar.reset(self.task, description=f"{self.title}: {name}", total=1.0, metrics="")
        self._line(f"{self.title}: {name}")

    def share(self, fraction: float) -> None:
        """How much of this part is done, in [0, 1]."""
        self.bar.update(self.task, completed=fraction)

    def update(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """A report of the training; see `agents.learning.training.Progress`."""
        now = time.monotonic()
        if self.first is None:
            self.first = (step, now)
            self._forget(step)
            if self.writer_class is not None:
                self.writer = self.writer_class(str(self.tensorboard), purge_step=step)
        self.step, self.total = step, total
        row = {"step": step, "total": total, "seconds": round(now - self.began, 3), **_plain(metrics)}
        with open(self.kept, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        speed = (step - self.first[0]) / (now - self.first[1]) if step > self.first[0] else None
        if self.writer is not None:
            for name, value in {**metrics, "steps_per_second": speed}.items():
                if value is not None:
                    self.writer.add_scalar(name, value, step)
        text = describe_metrics(metrics, speed)
        self.bar.update(self.task, completed=step, total=total, metrics=text)
        if now - self.last_line > LINE_SECONDS or step == total:
            self._line(f"{self.title}: {step:,} of {total:,} steps; {text}")

    def _line(self, text: str) -> None:
        if not self.console.is_terminal:
            self.last_line = time.monotonic()
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _rows(self) -> list[dict[str, Any]]:
        """The reports kept so far; half a line, from a run that was cut, counts as none."""
        if not self.kept.exists():
            return []
        return [json.loads(line) for line in self.kept.read_text(encoding="utf-8").split("\n")[:-1]]

    def _forget(self, step: int) -> None:
        """Drop the reports from this step on."""
        rows = [row for row in self._rows() if row["step"] < step]
        self.kept.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def _summarise(self) -> None:
        """How far it came, and the last value of every metric, over all runs of a training that was cut."""
        for row in self._rows():
            self.step, self.total = row["step"], row["total"]
            self.last_metrics |= {
                name: value for name, value in row.items() if name not in ("step", "total", "seconds")
            }


def describe_metrics(metrics: Mapping[str, float], speed: float | None) -> str:
    """The metrics that are shown, and the speed."""
    parts = [f"{heading} {metrics[name]:.4g}" for name, heading in SHOWN.items() if name in metrics]
    return ", ".join([*parts, *([] if speed is None else [f"{speed:,.1f} steps/s"])])


def _plain(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {name: float(value) if math.isfinite(value) else None for name, value in metrics.items()}


def summary_writer() -> Any:
    """TensorBoard's writer class.

    Raises:
        UsageError: it is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError(
            f"--tensorboard: it is not installed ({error}): pip install 'recsim_env[tensorboard]'"
        ) from error
    return SummaryWriter
