"""The program in docs/metrics.md runs, and its table names every figure of the scorecards."""

from tests.docs.programs import page, programs_of, run
from tests.metrics.test_sharding import WHOLE

TEXT = page("docs/metrics.md")


def test_the_program_of_the_page_runs():
    names = run(programs_of(TEXT), "metrics.md")
    assert 0 < names["figures"]["regret_share"] < 1
    assert names["curves"]["cumulative_regret"][-1] == names["figures"]["regret_per_user"]


def test_every_figure_is_in_the_table():
    figures = [name for name in WHOLE.result() if not name.startswith("examined_")]
    assert [name for name in figures if f"`{name}`" not in TEXT] == []
