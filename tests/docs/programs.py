"""The programs in a page of the documentation, and the scripts beside it."""

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def page(name):
    """The text of a page, by its path in the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def load_example(name):
    """A script of `docs/examples` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def programs_of(text):
    """The Python programs of a text, in their order."""
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def run(programs, name, shorter=()):
    """Run them as a reader would, one after the other, with some texts made shorter: the names they leave."""
    names, left = {}, dict(shorter)
    for program in programs:
        for long in [long for long in left if long in program]:
            program = program.replace(long, left.pop(long))
        exec(compile(program, name, "exec"), names)
    assert not left, f"{name} holds no {list(left)}"
    return names
