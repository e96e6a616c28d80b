"""The two-stage correction against enumeration over all ordered candidate sets."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from agents.losses import importance_weights, plackett_luce_log_prob, reinforce_loss, two_stage_log_prob
from tests.agents.tensors import draw, gradient_of


def enumerated_two_stage_prob(log_prob, ranker, item, num_candidates):
    """Sum over all ordered candidate sets that hold the item."""
    orders = torch.tensor(
        [o for o in itertools.permutations(range(len(ranker)), num_candidates) if item in o]
    )
    drawn = plackett_luce_log_prob(log_prob.expand(len(orders), -1), orders).exp()
    picked = torch.softmax(ranker[orders], dim=1)[orders == item]
    return (drawn * picked).sum()


@pytest.mark.parametrize("num_candidates", [1, 2, 3, 5])
def test_two_stage_correction_against_enumeration(num_candidates):
    """Five items; the mean over many draws, value and gradient, within four standard errors.

    The error rate of the whole test is below 1 in 500.
    """
    logits, ranker, item, num_draws = draw(5, seed=11), draw(5, seed=12), 3, 4_000
    exact = enumerated_two_stage_prob(torch.log_softmax(logits, 0), ranker, item, num_candidates).item()
    exact_gradient = gradient_of(
        lambda x: enumerated_two_stage_prob(torch.log_softmax(x, 0), ranker, item, num_candidates), logits
    )
    generator, values, gradients = torch.Generator().manual_seed(0), [], []
    for _ in range(60):
        point = logits.clone().requires_grad_(True)
        log_prob = two_stage_log_prob(
            torch.log_softmax(point, 0)[None],
            torch.tensor([item]),
            ranker[None],
            num_candidates,
            num_draws // 40,
            generator,
        )
        log_prob.exp().sum().backward()
        values.append(log_prob.exp().item())
        gradients.append(point.grad)
    for found, expected in (
        (torch.tensor(values).double()[:, None], torch.tensor([exact]).double()),
        (
            torch.stack(gradients),
            exact_gradient,
        ),
    ):
        error = found.std(dim=0) / len(found) ** 0.5 + 1e-9
        assert ((found.mean(dim=0) - expected).abs() < 4 * error).all()


def test_two_stages_that_leave_no_choice_are_known_exactly():
    log_prob, ranker = torch.log_softmax(draw(2, 4, seed=5), 1), draw(2, 4, seed=6)
    item, generator = torch.tensor([2, 0]), torch.Generator().manual_seed(0)
    one = two_stage_log_prob(log_prob, item, ranker, 1, 3, generator)
    torch.testing.assert_close(one, log_prob.gather(1, item[:, None])[:, 0])
    everything = two_stage_log_prob(log_prob, item, ranker, 4, 3, generator)
    torch.testing.assert_close(everything, torch.log_softmax(ranker, 1).gather(1, item[:, None])[:, 0])


def test_the_two_stage_weight_recovers_what_the_ranker_would_never_show():
    """Item 0 earns most, but the ranker shows item 2, the second best, whenever it is nominated.

    The one-stage correction nominates both; the two-stage one learns to leave item 2 out, so that what is
    shown earns more. Expectations over the log are exact.
    """
    reward = torch.tensor([1.0, 0.2, 0.5, 0.0], dtype=torch.float64)
    ranker = torch.tensor([0.0, 0.0, 8.0, -8.0], dtype=torch.float64)
    behaviour = torch.full((4,), 0.25, dtype=torch.float64)

    def learned(two_stage):
        generator, logits = torch.Generator().manual_seed(0), torch.zeros(4, dtype=torch.float64)
        logits.requires_grad_(True)
        optimizer = torch.optim.Adam([logits], lr=0.2)
        for _ in range(100):
            log_prob = torch.log_softmax(logits, 0)
            if two_stage:
                shown = two_stage_log_prob(
                    log_prob.expand(4, -1), torch.arange(4), ranker.expand(4, -1), 2, 16, generator
                )
            else:
                shown = log_prob
            weight = importance_weights(shown, behaviour.log(), math.inf)
            loss = (behaviour * reinforce_loss(shown, reward, weight)).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        log_prob = torch.log_softmax(logits.detach(), 0)
        prob = [enumerated_two_stage_prob(log_prob, ranker, item, 2) for item in range(4)]
        return (torch.stack(prob) * reward).sum().item()

    one_stage, two_stage = learned(False), learned(True)
    assert two_stage > 0.95
    assert one_stage < 0.75
