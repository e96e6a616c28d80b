"""The command line: `recsim-env`, the same as `python -m benchmarks`."""

from __future__ import annotations

import typer

from benchmarks.agent_commands import agent_cost, evaluate, narrow_support, train
from benchmarks.compare_commands import compare, headroom, learning_curve, report
from benchmarks.deploy_command import deploy
from benchmarks.log_commands import simulate
from benchmarks.ope_command import ope
from benchmarks.world_commands import facts, scenarios, throughput, watch

app = typer.Typer(
    name="recsim-env",
    help="Simulated users for reinforcement learning in recommendation: compare agents, see how they learn "
    "from logs, watch single users, measure the simulator's speed, and what its users have in common with "
    "real ones.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command()(compare)
app.command("learning-curve")(learning_curve)
app.command()(headroom)
app.command()(throughput)
app.command()(train)
app.command()(evaluate)
app.command("agent-cost")(agent_cost)
app.command("narrow-support")(narrow_support)
app.command()(report)
app.command()(scenarios)
app.command()(watch)
app.command()(facts)
app.command()(simulate)
app.command()(ope)
app.command(context_settings={"allow_extra_args": True})(deploy)


def main() -> None:
    """Run the command line."""
    app(prog_name="recsim-env")
