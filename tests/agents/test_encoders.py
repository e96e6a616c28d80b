"""The encoder: what it reads, what it ignores, and where its initial values come from."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from agents.encoders import DuelingScorer, ItemScorer, SequenceEncoder, public_features, to_tensors
from agents.seeding import build, initialise, scoped_global_rng, single_thread, torch_generator
from agents.spec import ObservationSpec

SPEC = ObservationSpec(num_items=60, history_length=10, slate_size=10, num_segments=4)


@pytest.fixture
def encoder(slate_world):
    made = build(lambda: SequenceEncoder(SPEC, 20, 16), torch_generator(0))
    made.items.set_catalog(slate_world.public_catalog)
    return made


def test_shapes(encoder, slate_observation):
    state = encoder(to_tensors(slate_observation))
    assert state.shape == (50, 16)
    assert state.dtype == torch.float32
    table = encoder.items()
    assert table.shape == (61, 16)
    assert (table[-1] == 0).all()


def test_every_key_of_the_observation_matters(encoder, slate_observation):
    with torch.no_grad():
        # Embeddings of padding start at 0, and so do biases: move every parameter off its initial value.
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch_generator(1)))
    base = encoder(to_tensors(slate_observation))
    changed = {
        "history_items": lambda x: np.where(x < 60, (x + 1) % 60, x),
        "history_events": lambda x: np.where(x > 0, x ^ 2, x),
        "last_slate": lambda x: np.where(x < 60, (x + 1) % 60, x),
        "last_events": lambda x: x ^ 4,
        "segment": lambda x: (x + 1) % 4,
        "session_step": lambda x: x + 5,
    }
    assert changed.keys() == slate_observation.keys()
    for key, change in changed.items():
        other = encoder(to_tensors({**slate_observation, key: change(slate_observation[key])}))
        assert not torch.equal(other, base), key


def test_the_order_of_slots_does_not_matter_but_that_of_the_history_does(encoder, slate_observation):
    base = encoder(to_tensors(slate_observation))
    turned = dict(slate_observation)
    for key in ("last_slate", "last_events"):
        turned[key] = turned[key][:, ::-1]
    torch.testing.assert_close(encoder(to_tensors(turned)), base)
    for key in ("history_items", "history_events"):
        turned[key] = turned[key][:, ::-1]
    assert not torch.allclose(encoder(to_tensors(turned)), base)


def test_items_of_a_topic_share_what_is_learned(encoder, slate_world):
    topic = torch.from_numpy(slate_world.public_catalog.topic.copy())
    table = encoder.items()
    table[0].sum().backward()
    assert encoder.items.topic_embedding.weight.grad[topic[0]].abs().sum() > 0
    assert encoder.items.id_embedding.weight.grad[1:].abs().sum() == 0


def test_scores_of_chosen_items_are_those_of_all_items(encoder, slate_observation):
    scorer = build(lambda: ItemScorer(60, 16), torch_generator(2))
    with torch.no_grad():
        scorer.bias.add_(torch.arange(60.0))
    table = encoder.items()
    state = encoder(to_tensors(slate_observation), table)
    chosen = torch.from_numpy(slate_observation["last_slate"] % 60)
    torch.testing.assert_close(
        scorer.of_items(state, table, chosen), scorer(state, table).gather(1, chosen), rtol=1e-5, atol=1e-5
    )


def test_the_dueling_scorer_adds_a_level_that_all_items_share(encoder, slate_observation):
    plain = build(lambda: ItemScorer(60, 16), torch_generator(2))
    dueling = build(lambda: DuelingScorer(60, 16), torch_generator(3))
    dueling.load_state_dict(plain.state_dict(), strict=False)
    table, state = encoder.items(), encoder(to_tensors(slate_observation))
    items = torch.randint(60, (len(state), 3), generator=torch_generator(4))
    level = dueling.level(state)
    assert level.std() > 0
    for method, arguments in (("forward", ()), ("of_items", (items,)), ("of_shared", (items[0],))):
        scores = getattr(plain, method)(state, table, *arguments)
        torch.testing.assert_close(getattr(dueling, method)(state, table, *arguments), scores + level)


def test_public_features_are_standardised(slate_world):
    features = public_features(slate_world.public_catalog)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(features.std(axis=0), 1, atol=1e-6)
    order = np.argsort(slate_world.public_catalog.price)
    assert (np.diff(features[order, 0]) >= 0).all()
    flat = slate_world.public_catalog._replace(price=np.ones(60, np.float32))
    assert (public_features(flat)[:, 0] == 0).all()


def test_another_catalog_is_refused(encoder, slate_world):
    catalog = slate_world.public_catalog
    with pytest.raises(ValueError, match="59 items, this agent was made for 60"):
        encoder.items.set_catalog(catalog._replace(topic=catalog.topic[:-1]))
    with pytest.raises(ValueError, match="21 topics, this agent was made for 20"):
        encoder.items.set_catalog(catalog._replace(num_topics=21))


def global_states():
    numpy_state = np.random.get_state()[1].tolist()  # noqa: NPY002
    return random.getstate(), numpy_state, torch.get_rng_state().tolist()


def test_building_draws_from_the_given_generator_alone():
    before = global_states()
    first, again, other = (
        build(lambda: SequenceEncoder(SPEC, 20, 16), torch_generator(seed)) for seed in (0, 0, 1)
    )
    assert global_states() == before
    pairs = list(zip(first.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)
    assert all(torch.isfinite(a).all() for a, _, _ in pairs)


def test_initial_values(encoder):
    assert (encoder.items.id_embedding.weight[60] == 0).all()
    assert encoder.items.id_embedding.weight[:60].std().item() == pytest.approx(0.1, rel=0.1)
    for gate in encoder.sequence.gru.weight_hh_l0.chunk(3):
        torch.testing.assert_close(gate @ gate.T, torch.eye(16), rtol=0, atol=1e-5)
    assert (encoder.sequence.gru.bias_ih_l0 == 0).all()


def test_third_party_randomness_is_repeatable_and_leaves_no_trace():
    def draw():
        return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: NPY002

    before = global_states()
    with scoped_global_rng(7):
        first = draw()
    assert global_states() == before
    with scoped_global_rng(7):
        assert draw() == first


def test_third_party_randomness_is_put_back_after_an_error():
    def fail():
        with scoped_global_rng(7):
            torch.rand(())
            raise RuntimeError("inside")

    before = global_states()
    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert global_states() == before


def test_default_initialisation_reads_the_default_generator():
    linear = torch.nn.Linear(3, 3)
    values = []
    for _ in range(2):
        with scoped_global_rng(5):
            initialise(linear, None)
        values.append(linear.weight.tolist())
    assert values[0] == values[1]


def test_single_thread_is_given_back():
    before = torch.get_num_threads()
    with single_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
