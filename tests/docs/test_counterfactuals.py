"""The program in docs/counterfactuals.md runs and prints as many lines as the text shows."""

import re

from tests.docs.programs import page, programs_of, run

TEXT = page("docs/counterfactuals.md")


def test_the_program_of_the_page_runs(capsys):
    run([next(code for code in programs_of(TEXT) if "replay" in code)], "counterfactuals.md")
    printed = capsys.readouterr().out.splitlines()
    shown = re.search(r"It prints\n\n```\n(.*?)```", TEXT, re.DOTALL).group(1).splitlines()
    assert [line.split(":")[0] for line in printed] == [line.split(":")[0] for line in shown]
