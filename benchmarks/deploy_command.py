"""The command `recsim-env deploy`: a deployment of some policies, or the study of the strategies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.choices import check_agents_package, one_size
from benchmarks.errors import UsageError
from benchmarks.options import Jobs, JsonPath, Overwrite, Scenario, Users, refuse_options
from benchmarks.terminal import RESUMES, plain_errors, standard_output
from benchmarks.workers import default_jobs
from recsim_env.streams import MAX_SEED


def deploy(
    context: typer.Context,
    scenario: Scenario = "Drift-v0",
    arms: Annotated[
        list[str] | None,
        typer.Option(
            help="Policies to choose from, the control first: names as `simulate --policy` takes them, or "
            "folders of saved agents or trainings; several behind one --arms. Default: logging, popular, "
            "softmax:temperature=0.5, greedy.",
            metavar="SPEC|DIR...",
            show_default=False,
        ),
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(
            help="Who decides: naive, ab_test, thompson, detected_thompson, ...; or all.", metavar="NAME"
        ),
    ] = "all",
    users: Users = "10k",
    batch: Annotated[int, typer.Option(help="Users a batch; shares change between batches.", min=1)] = 50,
    seed: Annotated[int, typer.Option(help="Of users, assignments and strategies.", min=0, max=MAX_SEED)] = 0,
    release_every: Annotated[
        int, typer.Option(help="Batches from the release of one arm to the next; 0: all at the start.", min=0)
    ] = 20,
    ramp: Annotated[
        bool,
        typer.Option(
            "--ramp/--no-ramp",
            help="Releases go up a ramp of 1, 5, 10, 25, 50% and are rolled back if they do harm; or they "
            "serve at once, and the strategy alone decides.",
        ),
    ] = True,
    seeds: Annotated[
        int,
        typer.Option(
            help="More than 1: so many paired repetitions with other users, seed, seed + 1, ...; all arms at "
            "the start, no ramp. Prints what each arm earns in each phase of the drift, and the regret of "
            "the strategies with intervals.",
            min=1,
            max=100,
        ),
    ] = 1,
    study: Annotated[
        bool, typer.Option("--study", help="No arms: error rates, power and regret in worlds of known truth.")
    ] = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full/--quick",
            help="Of the study: the figures to report, or a few runs of each. Default: --full.",
            show_default=False,
        ),
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for results; a run that was cut resumes from what it holds. Default: "
            "results/deploy, with --study or --seeds results/deploy-study or deploy-seeds.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    jobs: Jobs = None,
    json: JsonPath = None,
    overwrite: Overwrite = False,
) -> None:
    """Deploy several policies: a strategy decides, batch after batch, who serves whom; bad ones go back.

    Prints what every strategy earned and lost, draws traffic shares, regret and exposure to the worst arm,
    and writes a decision log for each: what was decided, when and on what evidence. With --study: the table
    of docs/deployment.md.
    """
    with plain_errors(RESUMES):
        check_agents_package()
        chosen = [*(arms or []), *context.args]
        if study:
            if chosen:
                raise UsageError("--study has its own arms; leave out --arms")
            own = "scenario strategy users batch release_every ramp seeds"
            refuse_options(context, own, "is for a deployment, not for --study")
            from benchmarks.deploy_study import study as run_study

            run_study(
                preset="full" if full else "quick",
                seed=seed,
                out=out or Path("results/deploy-study"),
                jobs=jobs or default_jobs(),
                overwrite=overwrite,
                json_path=json,
                console=standard_output(),
            )
            return
        if context.args and not arms:
            raise UsageError(f"unexpected argument {context.args[0]!r}; arms come behind --arms")
        refuse_options(context, "full", "is for --study")
        from benchmarks.deploy import Asked
        from benchmarks.deploy import deploy as run

        num_users = one_size("--users", users, least=10)
        asked = Asked(scenario, chosen, strategy, num_users, batch, seed, release_every, ramp)
        rest = (jobs or default_jobs(), overwrite, json, standard_output())
        if seeds > 1:
            refuse_options(context, "release_every ramp", "is for one deployment, not for --seeds")
            from benchmarks.deploy_seeds import deploy_seeds

            deploy_seeds(asked, seeds, out or Path("results/deploy-seeds"), *rest)
            return
        run(asked, out or Path("results/deploy"), *rest)
