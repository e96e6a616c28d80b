"""Nothing draws from a process-wide generator: randomness is passed in, or comes from recsim_env.streams."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Who may touch the global generators: the scope that restores them, for a library that draws from nothing
# else, and the checks that user models and agents leave them alone.
EXEMPT = {
    "agents/seeding.py": {"scoped_global_rng", "global_draws", "set_global_draws"},
    "agents/testing.py": {"_global_states"},
    "recsim_env/testing.py": {"_seed_compiled_generator", "test_luck_comes_from_the_streams_alone"},
}

NUMPY_SEEDED = {"PCG64", "PCG64DXSM", "Philox", "SFC64", "SeedSequence", "default_rng"}
NUMPY_ALLOWED = {"BitGenerator", "Generator"} | NUMPY_SEEDED
PYTHON_ALLOWED = {"Random"}
TORCH_SEEDING = {"manual_seed", "seed", "set_rng_state", "cuda.manual_seed", "cuda.manual_seed_all"}
TORCH_SEEDING |= {"random.manual_seed", "random.seed", "random.set_rng_state"}
TORCH_DRAWS = {
    "bernoulli",
    "multinomial",
    "normal",
    "poisson",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
}
TORCH_DRAWS |= {"randn", "randn_like", "randperm"}
TENSOR_DRAWS = {"bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_"}
TENSOR_DRAWS |= {"uniform_", "multinomial", "kaiming_normal_", "kaiming_uniform_", "orthogonal_", "sparse_"}
TENSOR_DRAWS |= {"trunc_normal_", "xavier_normal_", "xavier_uniform_"}
TORCH_LOADERS = {"DataLoader", "RandomSampler", "WeightedRandomSampler", "random_split"}
SCIPY_DRAWS = {"bootstrap", "monte_carlo_test", "permutation_test", "rvs"}


def dotted_names(tree: ast.AST) -> dict[str, str]:
    """Local name -> what it stands for, from every import: np -> numpy, randn -> torch.randn."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.split(".")[0]
                names[local] = alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return names


def full_name(node: ast.expr, names: dict[str, str]) -> str:
    """np.random.rand -> numpy.random.rand; a method of anything but a name -> .method."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    root = names.get(node.id, "") if isinstance(node, ast.Name) else ""
    return ".".join([root, *reversed(parts)])


def walk_outside(tree: ast.AST, exempt: AbstractSet[str]) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.FunctionDef) and node.name in exempt):
            yield node
            yield from walk_outside(node, exempt)


def is_global_use(name: str) -> bool:
    """Wrong however it is used, called or not."""
    if name.startswith("numpy.random."):
        return name.split(".")[2] not in NUMPY_ALLOWED
    if name.startswith("random."):
        return name.split(".")[1] not in PYTHON_ALLOWED
    return name.startswith("torch.") and name.removeprefix("torch.") in TORCH_SEEDING


def is_unseeded_call(name: str, call: ast.Call) -> bool:
    """A draw, or a new generator, that was not told where its randomness comes from."""
    given = {keyword.arg for keyword in call.keywords}
    last = name.rsplit(".", 1)[-1]
    if (name.startswith("numpy.random.") and last in NUMPY_SEEDED) or name == "random.Random":
        return not call.args and not given
    if name.startswith("torch."):
        draws = name.count(".") == 1 and last in TORCH_DRAWS
        if draws or last in TENSOR_DRAWS or last in TORCH_LOADERS:
            return "generator" not in given
    if name.startswith("scipy.") and last in SCIPY_DRAWS:
        return not given & {"rng", "random_state"}
    return name.startswith(".") and last in TENSOR_DRAWS and "generator" not in given


def offences(code: str, exempt: AbstractSet[str] = frozenset()) -> list[str]:
    tree = ast.parse(code)
    names = dotted_names(tree)
    found = []
    for node in walk_outside(tree, exempt):
        if isinstance(node, ast.Call):
            name = full_name(node.func, names)
            if is_unseeded_call(name, node):
                found.append(f"{node.lineno}: {ast.unparse(node)}")
        if isinstance(node, ast.Attribute | ast.Name) and is_global_use(full_name(node, names)):
            found.append(f"{node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize("package", ["recsim_env", "agents", "benchmarks"])
def test_no_global_generator_is_used(package):
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        found += [f"{name}:{offence}" for offence in offences(path.read_text(), EXEMPT.get(name, set()))]
    assert found == []


@pytest.mark.parametrize("path", EXEMPT)
def test_the_exempt_scopes_exist(path):
    functions = {
        node.name
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert EXEMPT[path] <= functions


@pytest.mark.parametrize(
    "code",
    [
        "import numpy as np\nnp.random.rand(3)",
        "import numpy\nnumpy.random.seed(0)",
        "from numpy.random import shuffle\nshuffle(x)",
        "from numpy import random\nrandom.normal()",
        "import numpy as np\ndraw = np.random.choice",
        "import numpy as np\nnp.random.default_rng()",
        "import random\nrandom.random()",
        "from random import choice\nchoice(x)",
        "import random\nrandom.Random()",
        "import torch\ntorch.manual_seed(0)",
        "import torch\ntorch.cuda.manual_seed_all(0)",
        "import torch\ntorch.randn(3)",
        "import torch\nx.weight.data.uniform_(-1, 1)",
        "from torch import nn\nnn.init.xavier_uniform_(w)",
        "import torch\ntorch.utils.data.DataLoader(d, shuffle=True)",
        "from scipy import stats\nstats.norm.rvs(size=3)",
        "from scipy.stats import bootstrap\nbootstrap((x,), f)",
    ],
)
def test_the_check_sees_global_randomness(code):
    assert len(offences(code)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "import numpy as np\nnp.random.default_rng(0).random()",
        "import numpy as np\ndef f(generator: np.random.Generator): return generator.normal()",
        "import random\nrandom.Random(0).random()",
        "import torch\ntorch.randn(3, generator=g)",
        "import torch\ntorch.Generator().manual_seed(0)",
        "from torch import nn\nnn.init.normal_(w, generator=g)",
        "from torch import nn\nnn.init.zeros_(w)",
        "from scipy.stats import bootstrap\nbootstrap((x,), f, rng=g)",
    ],
)
def test_the_check_passes_generators_that_were_handed_in(code):
    assert offences(code) == []


def test_an_exemption_holds_for_the_named_function_only():
    code = "import random\ndef scoped():\n    random.seed(0)\ndef other():\n    random.seed(0)"
    assert offences(code, {"scoped"}) == ["5: random.seed"]
