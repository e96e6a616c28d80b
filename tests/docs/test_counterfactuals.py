"""The program in docs/counterfactuals.md runs and prints as many lines as the text shows."""

import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "docs" / "counterfactuals.md").read_text(encoding="utf-8")


def test_the_program_of_the_page_runs(capsys):
    program = next(code for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "replay" in code)
    exec(compile(program, "counterfactuals.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    shown = re.search(r"It prints\n\n```\n(.*?)```", TEXT, re.DOTALL).group(1).splitlines()
    assert [line.split(":")[0] for line in printed] == [line.split(":")[0] for line in shown]
