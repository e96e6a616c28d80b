"""Commands that compare agents on held-out users, and the one that reports what any command saved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.choices import check_agents_package, preset_of
from benchmarks.engines import find_engine
from benchmarks.errors import UsageError
from benchmarks.options import (
    Address,
    Agents,
    EngineName,
    FirstSeed,
    Full,
    Jobs,
    JsonPath,
    Out,
    Overwrite,
    Scenario,
    Seeds,
)
from benchmarks.terminal import RESUMES, plain_errors, standard_output
from recsim_env.streams import MAX_SEED


def compare(
    scenario: Annotated[
        str | None,
        typer.Option(
            help="Environment id; `recsim-env scenarios` lists them. Default: Storefront-v0. With "
            "--experiment, one of its scenarios; default: all of them.",
            metavar="ID",
            show_default=False,
        ),
    ] = None,
    agents: Agents = None,
    seeds: Seeds = None,
    full: Full = False,
    experiment: Annotated[
        str | None,
        typer.Option(
            help="One of the experiments behind the main job; any other name lists them.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Size of an experiment: quick (minutes), standard (the figures in the documentation), full.",
            metavar="SIZE",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="With --experiment next-item, your own files instead of a simulator's log: RetailRocket's "
            "events.csv, YooChoose's yoochoose-clicks.dat (RC15), or a folder with one of them.",
            metavar="PATH",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for results. A run that was cut resumes from what it holds. Default: "
            "results/compare, or results/NAME of an experiment.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    jobs: Jobs = None,
    engine: EngineName = "process",
    address: Address = None,
    json: JsonPath = None,
    overwrite: Overwrite = False,
    first_seed: FirstSeed = 0,
) -> None:
    """Compare agents on the same held-out users: cumulative reward, exploration, long-tail exposure.

    Every training seed collects its own log with the logging policy, trains every agent (offline
    learners on that log, online learners on live users), and lets all of them serve the same held-out
    users with the same luck. Prints two tables; writes them, per_seed.csv, summary.json and figures.

    With --experiment, answers one question instead: controls, exploration, long-run, next-item, offline,
    planted, reward-design, same-agent, verdict.
    """
    with plain_errors(RESUMES):
        check_agents_package()
        name = preset_of(preset, full)
        shared: dict[str, Any] = {
            "num_seeds": seeds,
            "first_seed": first_seed,
            "jobs": find_engine(engine, jobs, address),
            "overwrite": overwrite,
            "json_path": json,
            "console": standard_output(),
        }
        if experiment is not None:
            from benchmarks.experiments.frame import run_experiment

            if agents is not None:
                raise UsageError("--agents is for the main job: an experiment has its own")
            folder = out or Path("results") / experiment
            run_experiment(name=experiment, preset=name, scenario=scenario, out=folder, data=data, **shared)
            return
        if data is not None:
            raise UsageError("--data is for --experiment next-item: the main job makes its own")
        if name == "standard":
            raise UsageError("--preset standard is for experiments; the main job has --quick and --full")
        from benchmarks.compare import compare as run

        run(
            scenario=scenario or "Storefront-v0",
            agents=agents,
            preset=name,
            out=out or Path("results/compare"),
            **shared,
        )


def learning_curve(
    scenario: Scenario = "Storefront-v0",
    agents: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated learners from logs. Default: sqn,ips.", metavar="A,B", show_default=False
        ),
    ] = None,
    sizes: Annotated[
        str, typer.Option(help="Comma-separated numbers of decisions in the log.", metavar="N,N")
    ] = "20k,200k,2m",
    seeds: Annotated[int, typer.Option(help="How many training seeds.", min=1, max=100)] = 3,
    out: Out = Path("results/learning-curve"),
    jobs: Jobs = None,
    engine: EngineName = "process",
    address: Address = None,
    json: JsonPath = None,
    overwrite: Overwrite = False,
    first_seed: FirstSeed = 0,
) -> None:
    """Show how much offline learners gain from longer logs of the same logging policy.

    A score is the share of the gap between random items and the myopic oracle that a learner closes on
    held-out users. Prints a table and writes per_seed.csv, summary.json and a figure.
    """
    with plain_errors(RESUMES):
        check_agents_package()
        from benchmarks.learning_curve import learning_curve as run

        run(
            scenario=scenario,
            agents=agents,
            sizes=sizes,
            num_seeds=seeds,
            first_seed=first_seed,
            out=out,
            jobs=find_engine(engine, jobs, address),
            overwrite=overwrite,
            json_path=json,
            console=standard_output(),
        )


def headroom(
    scenario: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated environment ids. Default: all.", metavar="ID,ID", show_default=False
        ),
    ] = None,
    users: Annotated[
        str,
        typer.Option(
            help="How many users every policy serves; other numbers for some scenarios behind it.",
            metavar="N,ID=N,ID=N",
        ),
    ] = "400",
    seed: Annotated[
        int,
        typer.Option(
            help="Stream seed of the users. Planning was tuned on 1000 and above.", min=0, max=MAX_SEED
        ),
    ] = 0,
    out: Out = Path("results/headroom"),
    jobs: Jobs = None,
    engine: EngineName = "process",
    address: Address = None,
    json: JsonPath = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure what looking ahead earns: random, popular, myopic and planning oracle on the same users.

    The planning oracle tries policies on forks of the user, with other luck than the user will have.
    Prints a table with 95% intervals over users and paired differences; writes them to summary.json.
    """
    with plain_errors(RESUMES):
        check_agents_package()
        from benchmarks.headroom import headroom as run

        run(
            scenarios=scenario,
            users=users,
            seed=seed,
            out=out,
            jobs=find_engine(engine, jobs, address),
            overwrite=overwrite,
            json_path=json,
            console=standard_output(),
        )


def report(
    folder: Annotated[Path, typer.Argument(help="Results of any commands, in folders below it.")] = Path(
        "results"
    ),
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write. Default: that folder.", metavar="DIR", show_default=False),
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(
            "--json",
            help="Also write the figures of all comparisons to this file, as rows of one form.",
            metavar="PATH",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make one page of saved results, report.html, and a summary of what was found, report.md.

    The page holds everything: tables that sort and figures, in light and dark, and loads nothing from
    anywhere.
    """
    with plain_errors():
        from benchmarks.report import report as run

        run(folder, out, json, standard_output())
