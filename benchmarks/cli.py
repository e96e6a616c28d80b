"""The command line: `recsim-env`, the same as `python -m benchmarks`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.agent_commands import agent_cost, evaluate, narrow_support, train
from benchmarks.choices import check_agents_package, preset_of
from benchmarks.deploy_command import deploy
from benchmarks.engines import find_engine
from benchmarks.errors import UsageError
from benchmarks.log_commands import simulate
from benchmarks.ope_command import ope
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
from benchmarks.terminal import plain_errors, standard_output
from benchmarks.world_commands import facts, scenarios, watch

app = typer.Typer(
    name="recsim-env",
    help="Simulated users for reinforcement learning in recommendation: compare agents, see how they learn "
    "from logs, watch single users, measure the simulator's speed, and what its users have in common with "
    "real ones.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def compare(
    scenario: Annotated[
        str | None,
        typer.Option(
            help="Environment id; `recsim-env scenarios` lists them. Default: Storefront-v0.",
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

    With --experiment, answers one question instead: verdict, long-run, exploration, reward-design,
    same-agent, planted.
    """
    with plain_errors():
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

            if scenario is not None or agents is not None:
                raise UsageError("--scenario and --agents are for the main job: an experiment has its own")
            folder = out or Path("results") / experiment
            run_experiment(name=experiment, preset=name, out=folder, **shared)
            return
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


@app.command("learning-curve")
def learning_curve(
    scenario: Scenario = "Storefront-v0",
    agents: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated offline learners. Default: all.", metavar="A,B", show_default=False
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
    with plain_errors():
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


@app.command()
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
        int, typer.Option(help="Stream seed of the users. Planning was tuned on 1000 and above.", min=0)
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
    with plain_errors():
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


@app.command()
def throughput(
    catalogs: Annotated[
        str, typer.Option(help="Comma-separated catalog sizes; k and m stand for a thousand and a million.")
    ] = "1k,10k,100k,1m",
    slates: Annotated[str, typer.Option(help="Comma-separated slate sizes.")] = "1,10",
    batches: Annotated[
        str, typer.Option(help="Comma-separated numbers of users side by side; 0 is the single environment.")
    ] = "0,1,64,1024,16384",
    scenarios: Annotated[
        bool, typer.Option(help="Also measure every scenario as it is, in the largest batch.")
    ] = True,
    repeats: Annotated[int, typer.Option(help="Rounds over all rows.", min=1)] = 3,
    seconds: Annotated[float, typer.Option(help="Length of one measurement.", min=0.01)] = 1.0,
    peer_python: Annotated[
        Path | None,
        typer.Option(
            help="Interpreter of an environment that has sardine-rec. Default: this one, if it has.",
            metavar="PATH",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the measurements.", metavar="DIR")] = Path(
        "results/throughput"
    ),
    json: JsonPath = None,
) -> None:
    """Measure the simulator's speed and memory: user-steps per second, single and in native batches.

    With sardine-rec installed (pip install 'recsim_env[peers]') SARDINE is measured beside it, for ratios.
    """
    with plain_errors():
        from benchmarks.choices import parse_sizes
        from benchmarks.throughput import run

        run(
            catalogs=parse_sizes("--catalogs", catalogs, least=10),
            slates=parse_sizes("--slates", slates, least=1),
            batches=parse_sizes("--batches", batches, least=0),
            scenarios=scenarios,
            repeats=repeats,
            seconds=seconds,
            peer_python=peer_python,
            out=out,
            json_path=json,
            console=standard_output(),
        )


app.command()(train)
app.command()(evaluate)
app.command("agent-cost")(agent_cost)
app.command("narrow-support")(narrow_support)


@app.command("report")
def report_command(
    folder: Annotated[Path, typer.Argument(help="Results of any commands, in folders below it.")] = Path(
        "results"
    ),
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write. Default: that folder.", metavar="DIR", show_default=False),
    ] = None,
) -> None:
    """Make one page of saved results, report.html, and a summary of what was found, report.md.

    The page holds everything: tables that sort and figures, in light and dark, and loads nothing from
    anywhere.
    """
    with plain_errors():
        from benchmarks.report import report

        report(folder, out, standard_output())


app.command()(scenarios)
app.command()(watch)
app.command()(facts)
app.command()(simulate)
app.command()(ope)
app.command(context_settings={"allow_extra_args": True})(deploy)


def main() -> None:
    """Run the command line."""
    app(prog_name="recsim-env")
