"""Off-policy losses against closed forms: enumerated over the actions, differentiated, computed by hand."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from agents.losses import (
    direct_loss,
    effective_share,
    importance_weights,
    reinforce_loss,
    self_normalized_advantage,
    top_k_inclusion,
    top_k_multiplier,
    variance_factor,
    weight_metrics,
)
from tests.agents.tensors import draw, gradient_of

NUM_ITEMS = 6


LOGITS = draw(NUM_ITEMS, seed=1)
REWARD = draw(NUM_ITEMS, seed=2)
BEHAVIOUR = torch.softmax(draw(NUM_ITEMS, seed=3), 0)


def expected_loss(logits, behaviour, assumed, *, cap=math.inf, num_slots=1, model=None):
    """The loss in expectation over the logging policy, whose propensities are taken to be `assumed`."""
    log_prob = torch.log_softmax(logits, 0)
    weight = importance_weights(log_prob, assumed.log(), cap) * top_k_multiplier(log_prob, num_slots)
    if model is None:
        return (behaviour * reinforce_loss(log_prob, REWARD, weight)).sum()
    loss = reinforce_loss(log_prob, REWARD - model, weight)
    return (behaviour * loss).sum() + direct_loss(log_prob[None], model[None], num_slots).sum()


def minus_value(logits):
    return -(torch.softmax(logits, 0) * REWARD).sum()


def test_weights_by_hand():
    prob, propensity = torch.tensor([0.5, 0.9, 0.01]), torch.tensor([0.25, 0.001, 0.1])
    log_prob = prob.log().requires_grad_(True)
    assert importance_weights(log_prob, propensity.log(), weighting="none").tolist() == [1, 1, 1]
    weight = importance_weights(log_prob, propensity.log(), 3.0, "snips")
    assert weight.tolist() == pytest.approx([2 / 1.7, 3 / 1.7, 0.1 / 1.7], rel=1e-5)
    assert not weight.requires_grad


def test_effective_share_by_hand():
    assert effective_share(torch.full((8,), 0.3)).item() == pytest.approx(1.0)
    assert effective_share(torch.tensor([0.0, 5.0, 0.0, 0.0])).item() == pytest.approx(0.25)
    metrics = weight_metrics(torch.tensor([1.0, 2.0, 3.0]))
    found = {name: value.item() for name, value in metrics.items()}
    assert found == pytest.approx({"weight": 2.0, "max_weight": 3.0, "effective": 36 / (3 * 14)})


def test_without_correction_the_gradient_is_that_of_the_weighted_likelihood():
    """Its zero is pi proportional to reward x behaviour, not the best item."""
    reward = REWARD.abs()

    def surrogate(logits):
        log_prob = torch.log_softmax(logits, 0)
        weight = importance_weights(log_prob, BEHAVIOUR.log(), weighting="none")
        return (BEHAVIOUR * reinforce_loss(log_prob, reward, weight)).sum()

    fixed_point = (BEHAVIOUR * reward / (BEHAVIOUR * reward).sum()).log()
    torch.testing.assert_close(gradient_of(surrogate, fixed_point), torch.zeros(NUM_ITEMS).double())
    assert gradient_of(surrogate, LOGITS).abs().max() > 0.01


@pytest.mark.parametrize("num_slots", [1, 2, 5])
def test_top_k_correction_is_the_gradient_of_the_value_of_k_draws(num_slots):
    expected = gradient_of(
        lambda x: -(top_k_inclusion(torch.softmax(x, 0), num_slots) * REWARD).sum(), LOGITS
    )
    found = gradient_of(lambda x: expected_loss(x, BEHAVIOUR, BEHAVIOUR, num_slots=num_slots), LOGITS)
    torch.testing.assert_close(found, expected)


def test_top_k_inclusion_is_counted_by_enumeration():
    prob = torch.softmax(LOGITS[:4], 0)
    pairs = [(prob[i] * prob[j]).item() for i, j in itertools.product(range(4), repeat=2) if 2 in (i, j)]
    assert top_k_inclusion(prob, 2)[2].item() == pytest.approx(sum(pairs))


@pytest.mark.parametrize("num_slots", [1, 3])
def test_doubly_robust_is_unbiased_if_either_half_is_right(num_slots):
    expected = gradient_of(
        lambda x: -(top_k_inclusion(torch.softmax(x, 0), num_slots) * REWARD).sum(), LOGITS
    )
    wrong_model, wrong_behaviour = draw(NUM_ITEMS, seed=7), torch.full((NUM_ITEMS,), 1 / NUM_ITEMS).double()
    for assumed, model in ((BEHAVIOUR, wrong_model), (wrong_behaviour, REWARD)):
        found = gradient_of(
            lambda x, assumed=assumed, model=model: expected_loss(
                x, BEHAVIOUR, assumed, num_slots=num_slots, model=model
            ),
            LOGITS,
        )
        torch.testing.assert_close(found, expected)
    both_wrong = gradient_of(
        lambda x: expected_loss(x, BEHAVIOUR, wrong_behaviour, num_slots=num_slots, model=wrong_model), LOGITS
    )
    assert (both_wrong - expected).abs().max() > 0.01


def test_doubly_robust_has_less_variance_where_the_model_is_near():
    """The variance of the gradient of one logged decision, enumerated."""

    def variance(model):
        rows = []
        for item in range(NUM_ITEMS):

            def loss(x, item=item):
                log_prob = torch.log_softmax(x, 0)
                weight = importance_weights(log_prob[item], BEHAVIOUR[item].log(), math.inf)
                row = reinforce_loss(log_prob[item], REWARD[item] - model[item], weight)
                return row + direct_loss(log_prob[None], model[None]).sum()

            rows.append(gradient_of(loss, LOGITS))
        rows = torch.stack(rows)
        mean = (BEHAVIOUR[:, None] * rows).sum(0)
        return (BEHAVIOUR[:, None] * (rows - mean) ** 2).sum().item()

    plain, near = variance(torch.zeros(NUM_ITEMS).double()), variance(REWARD + 0.1 * draw(NUM_ITEMS, seed=8))
    assert near < 0.05 * plain
    assert variance(REWARD) == pytest.approx(0.0, abs=1e-12)


def test_doubly_robust_by_hand():
    """Two items, pi = (3/4, 1/4), q = (2, 4): item 1 was shown, with propensity 1/2, and earned 5."""
    log_prob = torch.tensor([[0.75, 0.25]], dtype=torch.float64).log().requires_grad_(True)
    direct = direct_loss(log_prob, torch.tensor([[2.0, 4.0]]))
    assert direct.item() == pytest.approx(-(0.75 * 2 + 0.25 * 4))
    weight = importance_weights(log_prob[:, 1], torch.tensor([0.5]).log(), math.inf)
    residual = reinforce_loss(log_prob[:, 1], torch.tensor([5.0]) - 4.0, weight)
    (direct + residual).sum().backward()
    # d/d log pi: -(pi q) from the model, -(w x 1) more for the item shown.
    assert log_prob.grad.tolist()[0] == pytest.approx([-1.5, -1.0 - 0.5])


SAMPLE = torch.tensor([0, 3, 3, 5, 1])


def sample_terms(logits):
    log_prob = torch.log_softmax(logits, 0)[SAMPLE]
    return log_prob, BEHAVIOUR.log()[SAMPLE], REWARD[SAMPLE]


def test_snips_follows_the_gradient_of_the_self_normalized_estimate():
    def estimate(logits):
        log_prob, log_propensity, reward = sample_terms(logits)
        weight = (log_prob - log_propensity).exp()
        return -(weight * reward).sum() / weight.sum()

    def surrogate(logits, shift=0.0):
        log_prob, log_propensity, reward = sample_terms(logits)
        weight = importance_weights(log_prob, log_propensity, math.inf, "snips")
        return reinforce_loss(log_prob, self_normalized_advantage(reward + shift, weight), weight).mean()

    expected = gradient_of(estimate, LOGITS)
    torch.testing.assert_close(gradient_of(surrogate, LOGITS), expected)
    torch.testing.assert_close(gradient_of(lambda x: surrogate(x, 100.0), LOGITS), expected)


def test_snips_by_hand():
    advantage, weight = torch.tensor([1.0, 4.0]), torch.tensor([3.0, 1.0])
    # The estimate is (3 x 1 + 1 x 4) / 4 = 1.75.
    assert self_normalized_advantage(advantage, weight).tolist() == [-0.75, 2.25]


@pytest.mark.parametrize("penalty", [0.0, 0.5, 2.0])
def test_poem_follows_the_gradient_of_the_penalised_estimate(penalty):
    def objective(logits):
        log_prob, log_propensity, reward = sample_terms(logits)
        gain = (log_prob - log_propensity).exp() * reward
        return -(gain.mean() - penalty * (gain.var() / len(gain)).sqrt())

    def surrogate(logits):
        log_prob, log_propensity, reward = sample_terms(logits)
        weight = importance_weights(log_prob, log_propensity, math.inf)
        factor = variance_factor(weight * reward, penalty)
        return reinforce_loss(log_prob, reward, weight * factor).mean()

    torch.testing.assert_close(gradient_of(surrogate, LOGITS), gradient_of(objective, LOGITS))


def test_poem_by_hand():
    """Gains (0, 0, 0, 4): mean 1, variance 4; the row that gains is 3 above the mean."""
    factor = variance_factor(torch.tensor([0.0, 0.0, 0.0, 4.0]), 0.5)
    assert factor.tolist() == pytest.approx([1 + 0.5 / 3] * 3 + [1 - 0.5])
    assert variance_factor(torch.tensor([2.0]), 0.5).tolist() == [1.0]
    assert variance_factor(torch.full((3,), 2.0), 0.5).tolist() == [1.0, 1.0, 1.0]


TOP_K_REWARD = torch.tensor([10.0, 9.0] + [1.0] * 8, dtype=torch.float64)


@pytest.mark.parametrize(("num_slots", "expected"), [(1, (1.0, 0.0)), (2, (10 / 19, 9 / 19))])
def test_top_k_toy(num_slots, expected):
    """Chen et al. (2019): rewards (10, 9, 1, ...), uniform behaviour; one slot, or two.

    With two the gradient is 0 where 10 (1 - pi_1) = 9 (1 - pi_2) and nothing is left for the others.
    """
    behaviour = torch.full((10,), 0.1, dtype=torch.float64)
    logits = torch.zeros(10, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    for _ in range(500):
        log_prob = torch.log_softmax(logits, 0)
        weight = importance_weights(log_prob, behaviour.log(), math.inf)
        weight = weight * top_k_multiplier(log_prob, num_slots)
        loss = (behaviour * reinforce_loss(log_prob, TOP_K_REWARD, weight)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = torch.softmax(logits.detach(), 0)[:2]
    torch.testing.assert_close(found, torch.tensor(expected).double(), rtol=0, atol=1e-3)
