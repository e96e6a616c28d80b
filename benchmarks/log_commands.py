"""Commands that make logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.choices import check_agents_package
from benchmarks.options import JsonPath, Users
from benchmarks.terminal import RESUMES, plain_errors, standard_output
from recsim_env.streams import MAX_SEED


def simulate(
    scenario: Annotated[
        str, typer.Argument(help="Environment id, such as Storefront-v0.", metavar="SCENARIO")
    ],
    policy: Annotated[
        str,
        typer.Option(
            help="Who recommends: uniform, popularity, softmax, logging, epsilon-greedy, greedy, popular or "
            "myopic, with settings such as softmax:temperature=0.5 or epsilon-greedy:epsilon=0.05; or the "
            "folder of a saved agent or of its training.",
            metavar="SPEC",
        ),
    ] = "logging",
    users: Users = "20k",
    seed: Annotated[int, typer.Option(help="Seed of the users' luck.", min=0, max=MAX_SEED)] = 0,
    steps: Annotated[
        int | None,
        typer.Option(
            help="At most so many decisions a session. Default: the scenario's horizon.",
            min=1,
            show_default=False,
        ),
    ] = None,
    hours: Annotated[
        str | None,
        typer.Option(
            help="Only users who arrive within these hours of the world's run, such as 168:336. Default: all "
            "of it.",
            metavar="FROM:TO",
            show_default=False,
        ),
    ] = None,
    partition_users: Annotated[
        str, typer.Option(help="Users per file, a multiple of 4096.", metavar="N")
    ] = "65536",
    probabilities: Annotated[
        bool,
        typer.Option(
            "--probabilities", help="Also log the probability of every item: as many numbers a row as items."
        ),
    ] = False,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for the log. A run that was cut goes on behind what it holds.", metavar="DIR"
        ),
    ] = Path("results/log"),
    json: JsonPath = None,
) -> None:
    """Make a log: a policy serves users, and every decision is written with its true propensity.

    Writes compressed Parquet files with where they come from inside, and a manifest with their checksums.
    The same arguments give the same bytes, however often the run was interrupted.
    """
    with plain_errors(RESUMES):
        check_agents_package()
        from benchmarks.simulate import run

        run(
            scenario=scenario,
            policy=policy,
            users=users,
            seed=seed,
            steps=steps,
            hours=hours,
            partition_users=partition_users,
            probabilities=probabilities,
            out=out,
            json_path=json,
            console=standard_output(),
        )
