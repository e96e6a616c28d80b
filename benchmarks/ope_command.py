"""The command `recsim-env ope`: one log and one policy, or the study of the estimators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.choices import check_agents_package
from benchmarks.engines import find_engine
from benchmarks.errors import UsageError
from benchmarks.options import Address, EngineName, Full, Jobs, JsonPath, Overwrite, refuse_options
from benchmarks.terminal import RESUMES, plain_errors, standard_output
from recsim_env.streams import MAX_SEED


def ope(
    context: typer.Context,
    log: Annotated[
        Path | None,
        typer.Argument(help="An event log of the simulator.", metavar="[LOG]", show_default=False),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            help="Whom to evaluate: a name as `simulate --policy` takes it, such as popular or "
            "softmax:temperature=0.5,epsilon=0.1; or the folder of a saved agent or training.",
            metavar="SPEC|DIR",
            show_default=False,
        ),
    ] = None,
    logging: Annotated[
        str | None,
        typer.Option(
            help="The policy that made the log, in the same form: missing support is then known exactly.",
            metavar="SPEC|DIR",
            show_default=False,
        ),
    ] = None,
    estimators: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated estimators, such as snips,sequential_dr. Default: all that can be had.",
            metavar="A,B",
            show_default=False,
        ),
    ] = None,
    discount: Annotated[
        float, typer.Option(help="Discount of the return of a session.", min=0.0, max=1.0)
    ] = 1.0,
    served: Annotated[
        int,
        typer.Option(help="Also serve the policy to so many users of the log's world: the truth.", min=0),
    ] = 0,
    study: Annotated[
        bool,
        typer.Option("--study", help="No log: hold all estimators against the truth, in several worlds."),
    ] = False,
    full: Full = False,
    seed: Annotated[int, typer.Option(help="Seed of the study's users.", min=0, max=MAX_SEED)] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for results; a study that was cut resumes from what it holds. Default: results/ope, "
            "with --study results/ope-study.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    jobs: Jobs = None,
    engine: EngineName = "process",
    address: Address = None,
    json: JsonPath = None,
    overwrite: Overwrite = False,
) -> None:
    """Estimate from a log what another policy would earn, by many estimators; or study the estimators.

    Prints values with 95% intervals, how evenly the importance weights are spread, and warnings where the
    log cannot tell; draws a figure. With --study: bias, error and coverage against true values, by log size
    and by distance between the policies; --quick takes two minutes, --full 20 to 40 on 2 cores.
    """
    with plain_errors(RESUMES if study else ""):
        check_agents_package()
        if study:
            if log is not None or policy is not None:
                raise UsageError("--study makes its own logs and policies; leave out LOG and --policy")
            refuse_options(context, "logging estimators discount served", "is for a LOG, not for --study")
            from benchmarks.ope_study import study as run_study

            run_study(
                preset="full" if full else "quick",
                seed=seed,
                out=out or Path("results/ope-study"),
                jobs=find_engine(engine, jobs, address),
                overwrite=overwrite,
                json_path=json,
                console=standard_output(),
            )
            return
        if log is None or policy is None:
            raise UsageError("expected a LOG and --policy, or --study")
        refuse_options(context, "full seed jobs engine address overwrite", "is for --study, not for a LOG")
        from benchmarks.ope import Asked, evaluate_log

        asked = Asked(log, policy, logging, estimators, discount, served)
        evaluate_log(asked, out or Path("results/ope"), json, standard_output())
