"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import UsageError

Scenario = Annotated[
    str,
    typer.Option(
        help="Environment id, such as Storefront-v0; `recsim-env scenarios` lists them.",
        metavar="ID",
    ),
]
Agents = Annotated[
    str | None,
    typer.Option(
        help="Comma-separated agents, such as dqn,sqn,ips, with fields of their configs where wanted: "
        "sqn:gamma=0,acting_head=q. Default: dqn,sqn,ips, as far as they can learn in the scenario. "
        "Random, popular, the logging policy and the myopic oracle always take part: they are what scores "
        "are read against.",
        metavar="A,B,C",
        show_default=False,
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        help="How many training seeds. Default: 3 with --quick, 10 with --full; experiments have their own.",
        min=1,
        max=100,
        show_default=False,
    ),
]
FirstSeed = Annotated[
    int,
    typer.Option(help="First training seed. Reported figures use 0 to 99; tune on 1000 and above.", min=0),
]
Full = Annotated[
    bool,
    typer.Option(
        "--full/--quick",
        help="Quick: under 5 minutes on 2 cores. Full: more seeds, data and users, for figures to report.",
    ),
]
Users = Annotated[
    str,
    typer.Option(
        help="How many users, one episode each; k and m stand for a thousand and a million.", metavar="N"
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(help="Processes at a time. Default: one per core.", min=1, show_default=False),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="Where tasks run: serial (in this process), process (a pool of them), or ray (pip install "
        r"'recsim_env\[ray]'). The results are the same.",
        metavar="NAME",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="A Ray cluster, such as ray://head:10001 or auto. Default: Ray on this machine.",
        metavar="URL",
        show_default=False,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Drop results of other settings that the folder holds.")
]
JsonPath = Annotated[
    Path | None,
    typer.Option(
        "--json", help="Also write what is printed to this file, as machine-readable rows.", metavar="PATH"
    ),
]
Out = Annotated[
    Path,
    typer.Option(help="Folder for results. A run that was cut resumes from what it holds.", metavar="DIR"),
]


def refuse_options(context: typer.Context, names: str, why: str) -> None:
    """Refuse what would be ignored.

    Args:
        context: of the command.
        names: of its parameters, separated by spaces.
        why: continues the sentence that begins with the option.

    Raises:
        UsageError: one of them was given on the command line.
    """
    for name in names.split():
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"--{name.replace('_', '-')} {why}")
