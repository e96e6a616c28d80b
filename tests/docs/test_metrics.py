"""The program in docs/metrics.md runs, and its table names every figure of the scorecards."""

import re
from pathlib import Path

from tests.metrics.test_sharding import WHOLE

TEXT = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_the_program_of_the_page_runs():
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names = {}
    exec(compile(program, "metrics.md", "exec"), names)
    assert 0 < names["figures"]["regret_share"] < 1
    assert names["curves"]["cumulative_regret"][-1] == names["figures"]["regret_per_user"]


def test_every_figure_is_in_the_table():
    figures = [name for name in WHOLE.result() if not name.startswith("examined_")]
    assert [name for name in figures if f"`{name}`" not in TEXT] == []
