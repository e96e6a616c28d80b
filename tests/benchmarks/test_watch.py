"""`recsim-env watch` and `recsim-env scenarios`: what they write, and how mistakes are told."""

import html.parser
import json
import re
import stat
from importlib import resources

import gymnasium
import numpy as np
import pytest
from typer.testing import CliRunner

from agents import SQN, LoggingPolicy, MyopicOracle, Popular, RandomPolicy, SQNConfig
from benchmarks.cli import app
from benchmarks.errors import UsageError
from benchmarks.watch import SCRIPTS, describe_session, embed_json, find_agent, make_page, play_session
from recsim_env import SCENARIOS, World, get_scenario, rollout
from recsim_env.event_log import collect_log
from tests.small_worlds import small_world


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def page_data(text):
    """What the page's script will read."""
    (found,) = re.findall(r'<script type="application/json" id="session">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """(result, page, rows) of a short session with a slate."""
    folder = tmp_path_factory.mktemp("watched")
    page, rows = folder / "page.html", folder / "rows.json"
    result = invoke(
        "watch", "StorefrontSlate-v0", "--agent", "popular", "--user", 3, "--seed", 5, "--steps", 6,
        "--out", page, "--json", rows,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return result, page.read_text(encoding="utf-8"), json.loads(rows.read_text(encoding="utf-8"))


def test_a_row_per_step_tells_what_the_environment_told(watched):
    """The same user, served by hand through Gymnasium."""
    _, _, saved = watched
    assert saved["command"] == "watch"
    assert saved["provenance"]["stream_version"] >= 1
    env = gymnasium.make("recsim_env/StorefrontSlate-v0", expected_reward=True)
    world = env.unwrapped.world
    observation, _ = env.reset(seed=5, options={"user_id": 3})
    policy, total = Popular(world.public_catalog, 10), 0.0
    assert len(saved["rows"]) == 6 or saved["rows"][-1]["ended"]
    for step, row in enumerate(saved["rows"], start=1):
        batch = {key: np.asarray(value)[None] for key, value in observation.items()}
        action = policy.act(batch, np.random.default_rng(0)).action[0]
        observation, reward, ended, _, info = env.step(action)
        total += reward
        state = env.unwrapped.state[0]
        assert (row["user_id"], row["step"], row["ended"]) == (3, step, ended)
        assert [shown["item"] for shown in row["slate"]] == action.tolist()
        assert [shown["events"] for shown in row["slate"]] == observation["last_events"].tolist()
        assert [len(shown["outcome"]) for shown in row["slate"]] == [
            int(events).bit_count() for events in observation["last_events"]
        ]
        assert row["reward"] == pytest.approx(reward)
        assert row["total_reward"] == pytest.approx(total)
        assert row["expected_reward"] == pytest.approx(info["expected_reward"], abs=1e-6)
        assert row["satiation"] == pytest.approx(state["satiation"].tolist(), abs=1e-6)
        assert row["patience"] == pytest.approx(float(state["patience"]), abs=1e-6)
        assert len(row["interest"]) == world.config.catalog.num_topics


def test_the_page_holds_the_same_steps_and_the_arrival(watched):
    _, page, saved = watched
    data = page_data(page)
    assert len(data["frames"]) == len(saved["rows"]) + 1
    assert data["frames"][0]["slate"] == []
    for frame, row in zip(data["frames"][1:], saved["rows"], strict=True):
        assert frame["slate"] == row["slate"]
        assert frame["interest"] == [row["interest"][topic] for topic in data["topics"]]
        assert frame["satiation"] == [row["satiation"][topic] for topic in data["topics"]]
    assert data["num_topics"] == 20
    assert len(data["topics"]) == 10


def test_the_page_is_complete_in_itself(watched):
    """No element loads anything, and the policy in its head would refuse if one did."""
    _, page, _ = watched
    loading = {"src", "href", "action", "data", "srcset", "poster", "background", "formaction"}

    class Elements(html.parser.HTMLParser):
        def handle_starttag(self, tag, attributes):
            assert tag not in {"link", "iframe", "img", "object", "embed", "base"}
            assert not loading & {name for name, _ in attributes}

    Elements().feed(page)
    assert set(re.findall(r"https?://[^\"'\s]*", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", page)
    assert "default-src 'none'" in page


def test_the_session_is_said_in_words(watched):
    result, page, saved = watched
    assert "seed 5" in result.output
    assert f"{len(saved['rows'])} steps" in result.output.replace(" 1 step,", " 1 steps,")
    assert "Page:" in result.output
    assert "<title>StorefrontSlate-v0: user 3, served by popular</title>" in page


@pytest.mark.parametrize(
    ("patience", "steps", "end"),
    [(1e-3, 9, "patience"), (1e6, 9, "horizon"), (1e6, 4, "would go on")],
    ids=["left", "horizon", "cut"],
)
def test_how_a_session_ended(patience, steps, end):
    world = small_world(1, session={"patience_scale": patience})
    frames = play_session(world, RandomPolicy(60), 0, 1, steps)
    assert len(frames) == (2 if end == "patience" else steps + 1)
    assert end in describe_session(frames, "World", "random", seed=1, horizon=9)["end"]


def test_agents_meet_the_user_that_rollout_serves():
    """Same seed, same user: the frames are those impressions."""
    world = small_world(4)
    for user in (0, 7):
        frames = play_session(world, MyopicOracle(world), user, 2, 30)
        served = list(
            rollout(
                world, MyopicOracle(world), [user], seed=2, generator=np.random.default_rng(0), max_steps=30
            )
        )
        assert [[one.item for one in frame.slate] for frame in frames[1:]] == [
            batch.action[0].tolist() for batch in served
        ]
        assert [frame.reward for frame in frames[1:]] == [batch.reward[0] for batch in served]


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", "<!--<script>", "a & b", "\u2028", "'\"\\", "ü"]
)
def test_no_text_leaves_its_place_in_the_page(text):
    world = small_world(1)
    frames = play_session(world, RandomPolicy(60), 0, 0, 1)
    page = make_page(frames, describe_session(frames, text, text, seed=0, horizon=5))
    assert page_data(page)["title"] == f"{text}: user 0, served by {text}"
    assert json.loads(embed_json({text: [text]})) == {text: [text]}
    assert page.count("<script") == page.count("</script") == 2
    assert "<!--" not in page


@pytest.mark.parametrize("name", ["random", "popular", "logging", "myopic"])
def test_agents_by_name(name):
    world = World(get_scenario("Storefront-v0").config)
    assert find_agent(name, world).name == name


def test_saved_agents_act_as_before(tmp_path):
    scenario = get_scenario("Storefront-v0")
    world = World(scenario.config)
    log = collect_log(scenario.id, LoggingPolicy(world.public_catalog), 300, 0)
    agent = SQN(SQNConfig(dim=8)).fit(log, world.public_catalog, seed=0)
    agent.save(tmp_path / "sqn")
    result = invoke(
        "watch", "Storefront-v0", "--agent", tmp_path / "sqn", "--steps", 3, "--out", tmp_path / "p.html"
    )
    assert result.exit_code == 0, result.output
    data = page_data((tmp_path / "p.html").read_text(encoding="utf-8"))
    assert "served by sqn" in data["title"]
    shown = [[one["item"] for one in frame["slate"]] for frame in data["frames"][1:]]
    expected = play_session(world, agent, 0, 0, 3)[1:]
    assert shown == [[one.item for one in frame.slate] for frame in expected]


def test_agents_that_cannot_act_here_are_refused(tmp_path):
    slate, single = (World(get_scenario(f"{name}-v0").config) for name in ("StorefrontSlate", "Storefront"))
    LoggingPolicy(single.public_catalog).save(tmp_path / "logging")
    MyopicOracle(single).save(tmp_path / "oracle")
    RandomPolicy(10).save(tmp_path / "random")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="fingerprint"):
        find_agent(str(tmp_path / "logging"), slate)
    with pytest.raises(UsageError, match="another world"):
        find_agent(str(tmp_path / "oracle"), slate)
    with pytest.raises(UsageError, match=r"agent\.json is missing"):
        find_agent(str(tmp_path / "empty"), slate)
    with pytest.raises(UsageError, match="has to learn first"):
        find_agent("sqn", single)
    with pytest.raises(UsageError, match="did you mean 'random'"):
        find_agent("randm", single)
    result = invoke(
        "watch", "StorefrontSlate-v0", "--agent", tmp_path / "random", "--out", tmp_path / "p.html"
    )
    assert result.exit_code == 2
    assert (
        "cannot act in StorefrontSlate-v0: observation['history_items'][0, 0]: expected in [0"
        in result.output
    )
    assert not (tmp_path / "p.html").exists()


@pytest.mark.parametrize("broken", ["agent.json", "arrays.safetensors"])
@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1, "kind": "Popular"}'])
def test_a_broken_folder_is_one_clear_error(tmp_path, broken, content):
    world = small_world(1)
    Popular(world.public_catalog).save(tmp_path / "agent")
    (tmp_path / "agent" / broken).write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=r"--agent: .*agent: "):
        find_agent(str(tmp_path / "agent"), world)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Storefont-v0",), "did you mean 'Storefront-v0'"),
        (("Storefront-v0", "--agent", "dqn"), "has to learn first"),
        (("Storefront-v0", "--user", "-1"), "--user"),
        (("Storefront-v0", "--steps", "0"), "--steps"),
    ],
    ids=["scenario", "agent", "user", "steps"],
)
def test_mistakes_are_one_clear_error(arguments, message, tmp_path):
    result = invoke("watch", *arguments, "--out", tmp_path / "page.html")
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("option", ["--out", "--json"])
def test_an_unwritable_path_is_refused_before_any_work(option, tmp_path):
    (tmp_path / "file").write_text("")
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "file" / "x", "cannot write to the folder")):
        result = invoke("watch", "Storefront-v0", option, path)
        assert result.exit_code == 2
        assert message in result.output
        if message == "is a folder":
            assert option in result.output


def test_a_page_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    page = tmp_path / "page.html"
    page.write_text("old")
    monkeypatch.setattr("benchmarks.watch.make_page", lambda *_: 1 / 0)
    assert invoke("watch", "Storefront-v0", "--steps", 1, "--out", page).exit_code == 1
    assert page.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_pages_can_be_read_by_others(watched, tmp_path):
    page = tmp_path / "page.html"
    invoke("watch", "Storefront-v0", "--steps", 1, "--out", page)
    assert page.stat().st_mode & stat.S_IRUSR


def test_the_parts_of_the_page_are_package_data():
    parts = resources.files("benchmarks") / "page"
    for name in ("page.html", "page.css", *SCRIPTS):
        assert (parts / name).is_file()


def test_scenarios_are_listed_for_people_and_programs(tmp_path):
    result = invoke("scenarios", "--json", tmp_path / "rows.json")
    assert result.exit_code == 0
    saved = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert [row["id"] for row in saved["rows"]] == [scenario.id for scenario in SCENARIOS.values()]
    for row, scenario in zip(saved["rows"], SCENARIOS.values(), strict=True):
        assert scenario.id in result.output
        assert row["purpose"] == scenario.purpose
        assert (row["items"], row["slate"]) == (
            scenario.config.catalog.num_items,
            scenario.config.slate_size,
        )
        assert (row["horizon"], row["choice_model"]) == (
            scenario.max_episode_steps,
            scenario.config.choice.model,
        )
        assert f"{row['items']:,}" in result.output


def test_an_unwritable_list_is_refused(tmp_path):
    result = invoke("scenarios", "--json", tmp_path)
    assert result.exit_code == 2
    assert "--json" in result.output
