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
    plackett_luce_log_prob,
    reinforce_loss,
    self_normalized_advantage,
    top_k_inclusion,
    top_k_multiplier,
    two_stage_log_prob,
    variance_factor,
    weight_metrics,
)

NUM_ITEMS = 6


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


LOGITS = draw(NUM_ITEMS, seed=1)
REWARD = draw(NUM_ITEMS, seed=2)
BEHAVIOUR = torch.softmax(draw(NUM_ITEMS, seed=3), 0)


def gradient_of(function, point):
    point = point.clone().requires_grad_(True)
    function(point).backward()
    return point.grad


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
