import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest

from benchmarks.curve_report import arm_name, draw_learning_curve
from benchmarks.figures import draw_cumulative_reward, draw_exposure, draw_figures
from benchmarks.labels import Mark, label_points, spread
from benchmarks.rows import lookup, row
from benchmarks.statistics import Interval
from benchmarks.style import LOOKS, SPARE, look_of
from benchmarks.summary import REFERENCES, summary_curves, summary_rows


def synthetic_scores(num_seeds, agents=(*REFERENCES, "sqn", "newcomer")):
    """Results of `num_seeds` seeds whose sessions differ in length."""
    scores = {}
    for level, agent in enumerate(
        ["random", *(a for a in agents if a not in ("random", "myopic")), "myopic"], 1
    ):
        scores[agent] = []
        for seed in range(num_seeds):
            generator = np.random.default_rng([seed, level])
            steps = np.arange(10 + seed)
            total = level + 0.1 * generator.random()
            metrics = {
                "reward_per_user": total,
                "session_length": 6.0,
                "catalog_coverage": 0.99,
                "action_entropy": 3.0 + 0.1 * level,
                "exposure_gini": 0.9 + 0.1 * generator.random(),
                "tail_share": 0.1 * level,
                "average_popularity": 1.0,
            }
            curves = {
                "cumulative_reward": total * (1 - 0.7 ** (steps + 1)),
                "survival": 0.8**steps,
                "coverage": 0.99 * (1 - 0.5 ** (steps + 1)),
                "lorenz": np.linspace(0, 1, 101) ** level,
            }
            curves = {name: curve.tolist() for name, curve in curves.items()}
            scores[agent].append({"metrics": metrics, "curves": curves, "seconds": {"train": 1.0}})
    return scores


def summary_of(num_seeds):
    scores = synthetic_scores(num_seeds)
    return {
        "agents": list(scores),
        "seeds": list(range(num_seeds)),
        "settings": {"scenario": "recsim_env/Storefront-v0", "num_items": 100},
        "rows": summary_rows(scores, "Storefront-v0"),
        "curves": summary_curves(scores),
    }


def test_figures_are_png_and_svg_and_always_the_same_bytes(tmp_path):
    summary = summary_of(3)
    pictures = draw_figures(summary, tmp_path)
    files = [*pictures, *(path.with_suffix(".svg") for path in pictures)]
    first = [path.read_bytes() for path in files]
    assert all(data.startswith(b"\x89PNG") for data in first[:3])
    assert all(b"<svg" in data for data in first[3:])
    draw_exposure(summary, tmp_path)
    assert [path.read_bytes() for path in files] == first
    assert plt.get_fignums() == []


def test_one_seed_is_drawn_without_intervals(tmp_path):
    draw_cumulative_reward(summary_of(1), tmp_path)
    assert (tmp_path / "cumulative_reward.png").stat().st_size > 1_000


def test_learning_curve_is_drawn(tmp_path):
    cases = [("sqn", 1_000), ("sqn", 100_000), ("ips", 1_000), ("ips", 100_000), ("logging", None)]
    rows = [
        row("learning-curve", "Storefront-v0", arm_name(a, n), "gap_share", Interval(0.3, 0.2, 0.4, "t", 3))
        for a, n in cases
    ]
    settings = {"scenario": "recsim_env/Storefront-v0"}
    per_seed = [{"agent": a, "log_decisions": n, "gap_share": 0.3} for a, n in cases]
    summary = {
        "rows": rows,
        "per_seed": per_seed,
        "sizes": [1_000, 100_000],
        "agents": ["sqn", "ips"],
        "settings": settings,
    }
    assert draw_learning_curve(summary, tmp_path).stat().st_size > 1_000


def test_summary_cuts_intervals_at_what_is_possible():
    rows = lookup(summary_rows(synthetic_scores(3), "Storefront-v0"))
    assert all(row["upper"] <= 1 for (_, metric), row in rows.items() if metric == "exposure_gini")
    assert rows["random", "gap_share"]["value"] == 0
    assert rows["myopic", "gap_share"]["value"] == 1
    assert ("logging", "reward_minus_logging") not in rows


def test_curves_go_on_after_the_last_user_has_left():
    scores = synthetic_scores(2)
    curves = summary_curves(scores)["sqn"]
    ends = [result["curves"]["cumulative_reward"][-1] for result in scores["sqn"]]
    assert len(curves["cumulative_reward"]["mean"]) == 11
    assert curves["cumulative_reward"]["mean"][-1] == pytest.approx(np.mean(ends))
    assert curves["survival"]["mean"][-1] == pytest.approx(scores["sqn"][1]["curves"]["survival"][-1] / 2)


def test_spread_keeps_order_and_distance_and_moves_only_what_must():
    assert spread([0.5, 0.1], 0.2, 0, 1) == [0.5, 0.1]
    assert spread([0.5, 0.5, 0.5], 0.1, 0, 1) == pytest.approx([0.4, 0.5, 0.6])
    placed = spread([0.99, 1.0, 0.98], 0.1, 0, 1)
    assert placed == pytest.approx([0.9, 1.0, 0.8])


def test_labels_of_crowded_points_do_not_overlap():
    figure, axes = plt.subplots(figsize=(4, 4))
    generator = np.random.default_rng(0)
    marks = []
    for index, (x, y) in enumerate(0.5 + 0.05 * generator.normal(size=(6, 2))):
        marks.append(Mark(x, y, (x - 0.02, x + 0.02), (y, y), f"agent {index}", "black"))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    label_points(axes, marks)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in axes.texts]
    plt.close(figure)
    assert len(boxes) == 6
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_every_agent_looks_different():
    agents = [*LOOKS, "one", "two"]
    looks = [look_of(agent, agents) for agent in agents]
    for part in range(3):
        assert len({str(look[part]) for look in looks if look.dash != "solid" or part != 2}) >= len(looks) - 2
    assert looks[-2:] == SPARE[:2]
