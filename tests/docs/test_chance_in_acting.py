"""The example of chance in acting runs, and its rules are what its text says."""

import pytest

from tests.docs.programs import load_example

SMALL = ["--scenario", "Tiny-v0", "--agents", "sqn:acting_head=q,epochs=1.0,dim=8", "--decisions", "300"]


@pytest.fixture(scope="module")
def example():
    return load_example("chance_in_acting")


def test_noise_of_no_size_is_the_best_item_and_noise_of_great_size_is_random(example, capsys):
    amounts = ["--amounts", "1e-9", "1e9"]
    results = example.main([*SMALL, *amounts, "--seeds", "2", "--first-seed", "1000", "--users", "400"])
    (best, still, noisy) = results.values()
    assert best == still
    # All six items come to somebody when they are shown at random.
    assert all(one["catalog_coverage"] == 1.0 for one in noisy)
    assert all(one["session_length"] > 0 for one in noisy)
    assert "2 seeds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scenario", "Boredome-v0"], "did you mean 'Boredom-v0'"),
        (["--amounts", "0"], "--amounts above 0"),
        (["--agents", "sqm"], "sqm"),
    ],
)
def test_mistakes_are_one_clear_error(example, arguments, message, capsys):
    with pytest.raises(SystemExit):
        example.main(arguments)
    assert message in capsys.readouterr().err
