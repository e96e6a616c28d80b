"""The programs of README, and of the pages whose programs have no figures to check, run as they stand."""

import re

from agents.seeding import scoped_global_rng
from tests.docs.programs import page, programs_of, run


def test_the_programs_of_readme_run(capsys):
    with scoped_global_rng(0):
        names = run(programs_of(page("README.md")), "README.md", {"learn(100_000)": "learn(5_200)"})
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(len(line.split()) == 6 for line in lines)
    assert names["model"]._n_updates > 0


def test_the_program_of_the_page_on_deployment_prints_what_it_says(capsys):
    text = page("docs/deployment.md")
    (program,) = programs_of(text)
    run([program], "deployment.md")
    assert capsys.readouterr().out == re.search(r"It prints\n\n```\n(.*?)```", text, re.DOTALL).group(1)


def test_the_programs_of_the_page_on_user_models_run():
    names = run(programs_of(page("docs/user_models.md")), "user_models.md")
    assert 0 <= names["like_prob"](None, None, 1.0) <= 1
