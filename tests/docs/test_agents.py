"""The programs of the section on training in docs/agents.md run, and its check holds."""

import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")
SECTION = re.search(r"\n## Training\n(.*?)(?=\n## |\Z)", TEXT, re.DOTALL).group(1)


def test_the_programs_of_the_section_on_training_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for program in re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL):
        exec(compile(program, "agents.md", "exec"), names)
    assert (tmp_path / "results" / "sqn.safetensors").is_file()
    assert (names["agent"].config.epochs, names["twin"].config.gamma) == (4, 0)
    names["TestMine"]().test_decisions_have_the_promised_form()
