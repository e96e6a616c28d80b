"""The controller: shares that are set aside, ramps, rollback, promotion, alarms."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from recsim_env.deployment import (
    RAMP,
    RETIRED,
    SERVING,
    Controller,
    EpsilonGreedy,
    Newest,
    PerSegment,
    Settings,
    Step,
)

SHORT = (Step(0.1, 2), Step(0.4, 3))


def controller(strategy=None, settings=None, **sizes):
    found = Controller(strategy or Newest(), np.random.default_rng(0), settings, **sizes)
    found.admit("control")
    return found


def serve(chosen, rates, batches, seed=1000, size=1_000):
    """Conversions at these rates by arm, [A] or [batches, A]; returns the decisions."""
    luck = np.random.default_rng(seed)
    rates = np.broadcast_to(rates, (batches, len(chosen.names)))
    decisions = []
    for rate in rates:
        shares = chosen.shares()
        count = luck.multinomial(size, shares)
        total = luck.binomial(count, rate)
        decisions += chosen.update(np.stack([count, total, total]).astype(float), shares)
    return decisions


def test_shares_hold_the_slice_the_ramp_and_the_floor():
    chosen = controller(settings=Settings(control_share=0.2, floor=0.05))
    chosen.admit("second")
    chosen.admit("release", ramp=SHORT)
    rest = 1 - 0.2 - 0.1
    shares = chosen.shares()[0, 0]
    assert shares == pytest.approx([0.2 + 0.05 * rest, 0.95 * rest, 0.1])
    assert shares.sum() == pytest.approx(1)


def test_ramps_that_ask_for_too_much_share_what_is_there():
    chosen = controller(settings=Settings(control_share=0.2))
    for name in ("one", "other"):
        chosen.admit(name, ramp=(Step(0.8, 5),))
    assert chosen.shares()[0, 0] == pytest.approx([0.2, 0.4, 0.4])


def test_a_release_goes_up_step_by_step_and_is_promoted():
    chosen = controller(settings=Settings(control_share=0.1))
    chosen.admit("good", ramp=SHORT)
    decisions = serve(chosen, [0.1, 0.2], 12)
    steps = [(one.batch, one.kind) for one in decisions if one.kind in ("step", "promote")]
    assert steps == [(2, "step"), (5, "promote")]
    assert chosen.status[0].tolist() == [SERVING, SERVING]
    assert chosen.shares()[0, 0] == pytest.approx([0.1 + 0.009, 0.9 - 0.009])
    promotion = next(one for one in decisions if one.kind == "promote")
    assert promotion.evidence["e_benefit"] >= 100
    assert 0 < promotion.evidence["lower"] < 0.1 < promotion.evidence["upper"]


def test_a_bad_release_is_rolled_back_with_its_evidence():
    chosen = controller()
    chosen.admit("bad", ramp=RAMP)
    decisions = serve(chosen, [0.3, 0.1], 40)
    gone = [one for one in decisions if one.kind == "rollback"]
    assert len(gone) == 1
    assert gone[0].arm == "bad"
    assert gone[0].evidence["e_harm"] >= 100
    assert gone[0].evidence["upper"] < 0
    assert "worse than the control by" in gone[0].text
    assert chosen.status[0, 1] == RETIRED
    assert chosen.shares()[0, 0].tolist() == [1, 0]


def test_the_failure_limit_is_how_many_failed_analyses_are_survived():
    batches = []
    for limit in (0, 3):
        chosen = controller(settings=Settings(failure_limit=limit))
        chosen.admit("bad", ramp=(Step(0.3, 1_000),))
        batches.append(next(one.batch for one in serve(chosen, [0.3, 0.1], 40) if one.kind == "rollback"))
    assert batches[1] >= batches[0] + 3


def test_harm_after_promotion_is_rolled_back_too():
    chosen = controller()
    chosen.admit("turning", ramp=SHORT)
    rates = np.array([[0.1, 0.2]] * 30 + [[0.1, 0.02]] * 60)
    kinds = [one.kind for one in serve(chosen, rates, 90) if one.arm == "turning"]
    assert kinds.index("promote") < kinds.index("rollback")


def test_an_arm_without_a_ramp_is_the_strategys_business():
    chosen = controller(EpsilonGreedy())
    chosen.admit("bad")
    decisions = serve(chosen, [0.3, 0.1], 40)
    assert "rollback" not in Counter(one.kind for one in decisions)
    assert chosen.shares()[0, 0, 1] < 0.1


def test_a_shock_to_all_arms_raises_an_alarm_and_rolls_nothing_back():
    chosen = controller(settings=Settings(control_share=0.2), num_runs=20)
    chosen.admit("release", ramp=(Step(0.4, 1_000),))
    rates = np.array([[0.3, 0.3]] * 40 + [[0.15, 0.15]] * 30)
    kinds = Counter((one.run, one.kind) for one in serve(chosen, rates, 70))
    assert all(kinds[run, "alarm"] >= 1 for run in range(20))
    assert sum(kinds[run, "rollback"] for run in range(20)) == 0


def test_segments_get_shares_of_their_own():
    chosen = controller(
        PerSegment(EpsilonGreedy(0.0)), Settings(control_share=0.0, floor=0.0), num_segments=2
    )
    chosen.admit("other")
    count = np.full((1, 2, 2), 50.0)
    total = np.array([[[5.0, 20.0], [20.0, 5.0]]])
    chosen.update(np.stack([count, total, total]), chosen.shares())
    assert chosen.shares()[0].tolist() == [[0, 1], [1, 0]]


def test_retired_arms_serve_nobody():
    chosen = controller()
    chosen.admit("second")
    chosen.retire("second")
    assert chosen.shares()[0, 0].tolist() == [1, 0]
    assert [one.kind for one in serve(chosen, [0.1, 0.1], 1)] == ["admit", "admit", "retire", "leader"]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda chosen: chosen.admit("control"), "'control' is the name of arm 0 already"),
        (lambda chosen: chosen.retire("control"), "is the control, which stays for good"),
        (lambda chosen: chosen.retire("contrl"), "unknown arm 'contrl'; did you mean 'control'"),
        (lambda chosen: Settings(low=1.0, high=1.0), "Settings.high: expected above low = 1.0, got 1.0"),
        (lambda chosen: Settings(alpha=2.0), r"Settings.alpha: expected a number in \[1e-12, 0.5\], got 2.0"),
    ],
)
def test_mistakes_are_clear_errors(act, message):
    with pytest.raises(ValueError, match=message):
        act(controller())


def test_the_control_has_no_ramp():
    with pytest.raises(ValueError, match="the first arm is the control"):
        Controller(Newest(), np.random.default_rng(0)).admit("first", ramp=RAMP)
