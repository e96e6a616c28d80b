"""Commands that show worlds: which there are, one user at a time, and what a log of theirs looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.choices import check_agents_package, one_size, parse_sizes
from benchmarks.options import JsonPath, Users
from benchmarks.terminal import plain_errors, standard_output
from recsim_env.streams import MAX_SEED, MAX_USER_ID


def scenarios(json: JsonPath = None) -> None:
    """List the worlds: id, what each is for, its sizes."""
    with plain_errors():
        from benchmarks.scenario_list import list_scenarios

        list_scenarios(json, standard_output())


def watch(
    scenario: Annotated[
        str, typer.Argument(help="Environment id, such as Storefront-v0.", metavar="SCENARIO")
    ],
    agent: Annotated[
        str,
        typer.Option(
            help="uniform, popular, logging, myopic or another policy of `simulate`; or the folder of a "
            "saved agent, or of its training.",
            metavar="SPEC|DIR",
        ),
    ] = "logging",
    user: Annotated[int, typer.Option(help="Which user.", min=0, max=MAX_USER_ID)] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the user's luck.", min=0, max=MAX_SEED)] = 0,
    steps: Annotated[
        int | None,
        typer.Option(
            help="At most so many decisions. Default: the scenario's horizon.", min=1, show_default=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write.", metavar="FILE.html")] = Path(
        "results/watch.html"
    ),
    json: JsonPath = None,
) -> None:
    """Replay one user's session in the browser: slates, answers, and what happens inside the user.

    Writes one HTML file that needs nothing else, to be played, paused and stepped with keyboard or mouse.
    The same seed and user meet every agent with the same luck.
    """
    with plain_errors():
        check_agents_package()
        from benchmarks.watch import watch as run

        run(
            scenario=scenario,
            agent=agent,
            user=user,
            seed=seed,
            steps=steps,
            out=out,
            json_path=json,
            console=standard_output(),
        )


def facts(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(help="Environment ids; one column each.", metavar="[SCENARIO]...", show_default=False),
    ] = None,
    policy: Annotated[
        str,
        typer.Option(
            help="Who serves the users, as `simulate --policy` takes it. The logging policy is a "
            "stochastic recommender on visible clicks and popularity; it stands for that of a real shop.",
            metavar="SPEC|DIR",
        ),
    ] = "logging",
    users: Users = "20k",
    seed: Annotated[
        int,
        typer.Option(
            help="Of the users' luck. Reported figures use 0; scenarios are tuned on 1000 and above.",
            min=0,
            max=MAX_SEED,
        ),
    ] = 0,
    popularity_clicks: Annotated[
        int, typer.Option(help="Popularity is measured on so many clicks, the first of each log.", min=1)
    ] = 5_000,
    data: Annotated[
        Path | None,
        typer.Option(
            help="A real log beside them, in the form of Taobao UserBehavior: CSV without header of user, "
            "item, category, behaviour (pv, fav, cart, buy) and Unix seconds. A page view is the click, a "
            "favourite the like; sessions end after 30 minutes without an action, and an action is a step.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    json: JsonPath = None,
) -> None:
    """Measure what a shop would see in its log: funnel, session lengths, popularity, positions, repeats.

    Takes several scenarios and puts them side by side, with a real log if you have one.
    """
    with plain_errors():
        check_agents_package()
        from benchmarks.facts import facts as run

        run(
            scenarios=scenarios or [],
            policy=policy,
            num_users=one_size("--users", users),
            seed=seed,
            popularity_clicks=popularity_clicks,
            data=data,
            json_path=json,
            console=standard_output(),
        )


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

    With sardine-rec installed (the `peers` extra) SARDINE is measured beside it, for ratios.
    """
    with plain_errors():
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
