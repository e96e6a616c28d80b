"""The example of paired comparison runs, and pairing does what its text says."""

import subprocess
import sys

import pytest

from recsim_env import World, get_scenario
from tests.docs.programs import ROOT, load_example

SCRIPT = ROOT / "docs" / "examples" / "paired_comparison.py"


@pytest.fixture(scope="module")
def example():
    return load_example("paired_comparison")


def test_pairing_needs_fewer_users(example):
    """Sign test of 10 independent blocks: with a ratio of 1 all were above it in 1 of 1024 runs."""
    world = World(get_scenario("Storefront-v0").config)
    ratios = [example.compare(world, ("random", "popular"), 200, seed, 100).ratio for seed in range(10)]
    assert min(ratios) > 1


def test_both_estimate_the_same_difference(example):
    """Within 4 standard errors: 1 of 16,000 runs would be outside by chance."""
    world = World(get_scenario("Storefront-v0").config)
    result = example.compare(world, ("random", "popular"), 1_000, 3, 100)
    error = ((result.variance_paired + result.variance_unpaired) / result.num_users) ** 0.5
    assert abs(result.difference_paired - result.difference_unpaired) < 4 * error


def test_the_ratio_and_the_users_are_those_of_the_variances(example):
    result = example.Comparison(1.0, 1.1, 2.0, 6.0, 100)
    assert result.ratio == 3
    text = example.describe(result, ("random", "popular"), 0.5)
    assert "variance ratio 3.00" in text
    assert "users for +- 0.5: 31" in text  # 2 (1.96 / 0.5)^2 = 30.7
    assert "users for +- 0.5: 93" in text  # 6 (1.96 / 0.5)^2 = 92.2


def test_the_script_prints_its_result(example, capsys):
    result = example.main(["--users", "50", "--policies", "random", "popular"])
    assert f"variance ratio {result.ratio:.2f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scenario", "Storefont-v0"], "did you mean 'Storefront-v0'"),
        (["--users", "1"], "--users must be at least 2"),
        (["--policies", "random", "luck"], "invalid choice: 'luck'"),
    ],
)
def test_mistakes_are_one_clear_error(example, arguments, message, capsys):
    with pytest.raises(SystemExit):
        example.main(arguments)
    assert message in capsys.readouterr().err


def test_help_stands_alone():
    done = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True, check=True)
    assert "--half-width" in done.stdout
