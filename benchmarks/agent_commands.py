"""Commands that train agents and measure what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.choices import check_agents_package, one_size, parse_sizes
from benchmarks.options import FirstSeed, Jobs, JsonPath, Out, Overwrite, Users
from benchmarks.terminal import RESUMES, plain_errors, standard_output
from benchmarks.workers import default_jobs
from recsim_env.streams import MAX_SEED


def train(
    agent: Annotated[
        str,
        typer.Argument(
            help="Name of an agent, with fields of its config where wanted, such as "
            "sqn:gamma=0,acting_head=q.",
            metavar="AGENT",
        ),
    ],
    log: Annotated[
        Path | None,
        typer.Option(
            help="Learn from this log: a folder of `recsim-env simulate`, which may be larger than memory, "
            "or a file.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            help="Learn in this world: from a fresh log of the logging policy, or, online learners, from "
            "live users.",
            metavar="ID",
            show_default=False,
        ),
    ] = None,
    decisions: Annotated[
        str,
        typer.Option(
            help="With --scenario: length of the log, or decisions of an online learner.", metavar="N"
        ),
    ] = "100k",
    seed: Annotated[
        int | None,
        typer.Option(
            help="Training seed; with --scenario also that of the users' luck. Default: 0. Reported figures "
            "use 0 to 99; tune on 1000 and above.",
            min=0,
            max=MAX_SEED,
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for agent, settings, progress and checkpoint. Default: results/train/AGENT.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A field of the agent's config; may be given often.",
            metavar="FIELD=VALUE",
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            help="Settings to start from, such as the settings.json that a training leaves; what is given "
            "beside it counts more.",
            metavar="FILE.json",
            show_default=False,
        ),
    ] = None,
    held_out: Annotated[
        float | None,
        typer.Option(
            help="Share of the log's users to keep out of the training and to estimate loss and return on; "
            "of live users, how many others to serve for an estimate. Default: 0.1, or 200 live users.",
            show_default=False,
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Stop after so many held-out estimates in a row that are not better, and keep the best "
            "weights. Default: 0, never.",
            show_default=False,
        ),
    ] = None,
    monitor: Annotated[
        str | None,
        typer.Option(help="What is to get better: return or loss. Default: return.", show_default=False),
    ] = None,
    evaluate_every: Annotated[
        int | None,
        typer.Option(
            help="Updates between held-out estimates, or decisions of live users. Default: 500, or 10,000 "
            "decisions.",
            show_default=False,
        ),
    ] = None,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(
            help="Updates between checkpoints, or decisions of live users. Default: 500, or 50,000 "
            "decisions.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Where updates happen: cpu, cuda, cuda:1.")] = "cpu",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training that the folder holds, if it holds one.")
    ] = False,
    tensorboard: Annotated[
        Path | None,
        typer.Option(help="Also write TensorBoard files here.", metavar="DIR", show_default=False),
    ] = None,
    json: JsonPath = None,
) -> None:
    """Train one agent, from a log or from live users, and save it.

    The same arguments give the same weights on the CPU, bit for bit, however often the run was cut: what is
    lost is what was done since the last checkpoint. `watch`, `simulate`, `ope` and `evaluate` take the agent.
    """
    with plain_errors("the same command with --resume goes on from the last checkpoint"):
        check_agents_package()
        from benchmarks.train import Asked
        from benchmarks.train import train as run

        asked = Asked(
            agent=agent,
            log=log,
            scenario=scenario,
            decisions=decisions,
            seed=seed,
            changes=tuple(change or ()),
            settings=settings,
            training={
                "held_out": held_out,
                "patience": patience,
                "monitor": monitor,
                "evaluate_every": evaluate_every,
                "checkpoint_every": checkpoint_every,
            },
            device=device,
            resume=resume,
            tensorboard=tensorboard,
        )
        folder = out or Path("results/train") / agent.partition(":")[0]
        run(asked, folder, json, standard_output())


def evaluate(
    folder: Annotated[
        Path, typer.Argument(help="What `train` made, or the folder of a saved agent.", metavar="FOLDER")
    ],
    scenario: Annotated[
        str | None,
        typer.Option(
            help="Environment id. Default: the one that it was trained in, if it was with --scenario.",
            metavar="ID",
            show_default=False,
        ),
    ] = None,
    users: Users = "2k",
    seed: Annotated[int, typer.Option(help="Which users: other ones for every seed.", min=0)] = 0,
    json: JsonPath = None,
) -> None:
    """Let a saved agent serve held-out users, beside random items and the myopic oracle.

    All of them meet the same users with the same luck. Prints reward per user and the share of the gap with
    intervals, exploration and exposure.
    """
    with plain_errors():
        check_agents_package()
        from benchmarks.evaluate import evaluate as run

        run(folder, scenario, one_size("--users", users, least=2), seed, json, standard_output())


def agent_cost(
    agents: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated agents, with fields of their configs where wanted. Default: all that act "
            "without the hidden state, and every encoder.",
            metavar="A,B",
            show_default=False,
        ),
    ] = None,
    catalogs: Annotated[
        str, typer.Option(help="Comma-separated catalog sizes; k stands for a thousand.", metavar="N,N")
    ] = "1k,10k,100k",
    seconds: Annotated[float, typer.Option(help="Length of one measurement.", min=0.01)] = 2.0,
    json: JsonPath = None,
) -> None:
    """Measure how fast agents act for 4,096 users and learn from a log, and in how much memory.

    By catalog size: what a score of every item costs, in acting and in the losses that have it, is what
    grows.
    """
    with plain_errors():
        check_agents_package()
        from benchmarks.agent_cost import agent_cost as run

        run(agents, parse_sizes("--catalogs", catalogs, least=20), seconds, json, standard_output())


def narrow_support(
    seeds: Annotated[
        int, typer.Option(help="How many logs, each with a training seed.", min=1, max=100)
    ] = 10,
    out: Out = Path("results/narrow-support"),
    jobs: Jobs = None,
    json: JsonPath = None,
    overwrite: Overwrite = False,
    first_seed: FirstSeed = 0,
) -> None:
    """Show what importance weights do with a log that hardly holds the best items.

    REINFORCE without correction, and with weights plain, capped, self-normalised, penalised (POEM) and
    doubly robust, on logs of a sharp softmax on a small Memoryless-v0, where values are known. Prints them,
    the width of their intervals over logs, effective sample sizes and the distance to the known bias.
    """
    with plain_errors(RESUMES):
        check_agents_package()
        from benchmarks.narrow_support import narrow_support as run

        run(
            num_seeds=seeds,
            first_seed=first_seed,
            out=out,
            jobs=jobs or default_jobs(),
            overwrite=overwrite,
            json_path=json,
            console=standard_output(),
        )
