"""What a command says and how it ends: standard output, errors as one line, exit statuses."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.display import TasksFailedError
from benchmarks.errors import UsageError

WIDTH_WITHOUT_TERMINAL = 130


def standard_output() -> Console:
    """Standard output; wide tables stay whole where there is no terminal to fit."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_WITHOUT_TERMINAL)


def titled_table(title: str) -> Table:
    """A table without columns yet, as all commands print theirs."""
    return Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=SIMPLE_HEAD)


def number(value: float | None, pattern: str) -> str:
    """A number in a cell; a dash where there is none."""
    return "-" if value is None else format(value, pattern)


RESUMES = "the same command goes on from what is finished"
"""Of commands whose tasks are kept one by one."""


@contextmanager
def plain_errors(again: str = "") -> Iterator[None]:
    """Mistakes, failed tasks and interrupts become one message on standard error and an exit status.

    Args:
        again: how a command that was cut is gone on with; empty where nothing is kept.
    """
    advice = f"; {again}" if again else ""
    errors = Console(stderr=True)
    try:
        yield
    except UsageError as error:
        errors.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    except TasksFailedError as error:
        errors.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        what = f"error: {error.filename or 'a result'} cannot be written ({error.strerror})"
        errors.print(what + advice, style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        errors.print(f"stopped{advice}", style="yellow", soft_wrap=True)
        raise typer.Exit(130) from None
