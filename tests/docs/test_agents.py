"""The programs of the section on training in docs/agents.md run, and its check holds."""

import re

from agents.seeding import scoped_global_rng
from tests.docs.programs import page, programs_of, run

SECTION = re.search(r"\n## Training\n(.*?)(?=\n## |\Z)", page("docs/agents.md"), re.DOTALL).group(1)


def test_the_programs_of_the_section_on_training_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with scoped_global_rng(0):
        names = run(programs_of(SECTION), "agents.md", {"learn(20_000)": "learn(2_048)"})
    assert (tmp_path / "results" / "sqn.safetensors").is_file()
    assert (names["agent"].config.epochs, names["twin"].config.gamma) == (4, 0)
    printed = dict(line.split(": ") for line in capsys.readouterr().out.splitlines())
    assert set(printed) == {"ppo", "random", "myopic", "linucb"}
    assert float(printed["myopic"]) > max(float(printed["linucb"]), float(printed["random"]))
    names["TestMine"]().test_decisions_have_the_promised_form()
