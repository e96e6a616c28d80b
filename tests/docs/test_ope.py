"""The program in docs/ope.md runs and prints what the text shows, and its truth lies where the text says."""

import re

from tests.docs.programs import page, programs_of, run

TEXT = page("docs/ope.md")


def test_the_program_of_the_page_prints_what_the_page_shows(capsys):
    run(programs_of(TEXT), "ope.md")
    printed = capsys.readouterr().out.splitlines()
    shown = re.search(r"It prints\n\n```\n(.*?)```", TEXT, re.DOTALL).group(1).splitlines()
    assert [line.split()[0] for line in printed] == [line.split()[0] for line in shown]
    truth = float(printed[-1].split()[-1])
    for line in printed[1:-1]:
        lower, upper = map(float, re.search(r"\[(.*), (.*)\]", line).groups())
        assert (lower <= truth <= upper) == (not line.startswith("fqe")), line


def test_every_public_estimator_is_in_the_table():
    from recsim_env import ope

    returning = [
        name for name in ope.__all__ if getattr(ope, name).__annotations__.get("return") == "Estimate"
    ]
    assert len(returning) >= 19
    assert [name for name in returning if f"`{name}`" not in TEXT] == []
