"""The page of `recsim-env watch` in a real browser, with keyboard and mouse, and no network."""

import json
from pathlib import Path

import numpy as np
import pytest

from agents import RandomPolicy
from benchmarks.watch import describe_session, make_page, play_session
from recsim_env.frames import notable_topics
from tests.benchmarks.browser import By, Keys, Page, prefer, resize, started
from tests.small_worlds import small_world

WORDS = {1: "clicked", 2: "liked", 4: "bought"}
STEPS = 12
EVIL = "</script><script>document.title='taken over'</script><b>"

WHAT_IS_SEEN, CONTRAST, CUT_OFF = (
    (Path(__file__).parent / f"{name}.js").read_text(encoding="utf-8")
    for name in ("seen", "contrast", "cut_off")
)


def minus(value):
    """Two decimals, with the sign that the page writes."""
    return f"{value:.2f}".replace("-", "−")


@pytest.fixture(scope="module")
def driver():
    with started() as driver:
        yield driver


def played(slate_size):
    """A session of ``STEPS`` steps whose user, at the end, does all that a user can do."""
    world = small_world(slate_size, session={"patience_scale": 1e6})
    frames = play_session(world, RandomPolicy(60, slate_size), 0, 1, STEPS)
    end, all_events = frames[-1], sum(WORDS)
    slate = (end.slate[0]._replace(events=all_events), *end.slate[1:])
    history = (*end.history[1:], slate[0]._replace(click_prob=np.nan))
    return (*frames[:-1], end._replace(slate=slate, history=history))


@pytest.fixture(scope="module")
def sessions():
    return {slate_size: played(slate_size) for slate_size in (1, 4)}


@pytest.fixture(scope="module")
def addresses(sessions, tmp_path_factory):
    """Slate size -> where the page of its session is."""
    folder = tmp_path_factory.mktemp("pages")
    for slate_size, frames in sessions.items():
        facts = describe_session(frames, "World", EVIL, 1, STEPS)
        (folder / f"{slate_size}.html").write_text(make_page(frames, facts), encoding="utf-8")
    return {slate_size: (folder / f"{slate_size}.html").as_uri() for slate_size in sessions}


@pytest.fixture(scope="module")
def frames(sessions):
    return sessions[4]


@pytest.fixture
def page(driver, addresses):
    """The page, freshly loaded at its first step, on a desktop screen."""
    resize(driver, 1200, 800)
    prefer(driver, "light")
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(addresses[4])
    return Page(driver)


def test_every_step_shows_what_happened(page, frames):
    """Slate, outcome, history, topics, tiles: the figures of the frame, at every step."""
    for step, frame in enumerate(frames):
        assert page.step == step
        seen = page.driver.execute_script(WHAT_IS_SEEN)
        for shown, row in zip(frame.slate, seen["slate"], strict=True):
            done = [word for bit, word in WORDS.items() if shown.events & bit] or ["no click"]
            figures = [
                str(shown.item),
                f"topic {shown.topic}",
                f"{shown.price:.2f}",
                f"{shown.click_prob:.2f}",
            ]
            assert row == [*figures, *done]
        assert seen["history"] == [f"{one.item} topic {one.topic}" for one in reversed(frame.history)]
        for index, topic in enumerate(notable_topics(frames, 10)):
            assert seen["topics"][index] == [
                f"topic {topic}", minus(frame.interest[topic]), minus(frame.satiation[topic])
            ]  # fmt: skip
        before = [one.events for frame in frames[: step + 1] for one in frame.slate]
        answers = [sum(events & bit > 0 for events in before) for bit in WORDS]
        assert seen["tiles"] == [
            f"{frame.total_reward:.2f}",
            f"+{frame.reward:.2f}" if step else "–",
            " · ".join(map(str, answers)),
            f"{frame.satisfaction:.2f}",
            f"{frame.patience:.1f}",
            f"{frame.taste_match:.2f}",
        ]
        if step:
            assert f"Reward {frame.reward:.2f}, expected {frame.expected_reward:.2f}." in seen["status"]
        page.press(Keys.ARROW_RIGHT)
    assert page.step == STEPS
    assert "horizon" in seen["status"]


def test_the_keyboard_moves_step_by_step(page):
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert page.step == 2
    page.press(Keys.END, Keys.ARROW_RIGHT)
    assert page.step == STEPS
    page.press(Keys.HOME, Keys.ARROW_LEFT)
    assert page.step == 0


def test_arrows_on_the_focused_slider_move_one_step(page):
    page["slider"].send_keys(Keys.ARROW_RIGHT)
    assert page.step == 1
    page["slider"].send_keys(Keys.END)
    assert page.step == STEPS
    page["slider"].send_keys(Keys.ARROW_LEFT)
    assert page.step == STEPS - 1
    assert page["slider"].get_attribute("aria-valuetext") == f"step {STEPS - 1} of {STEPS}"


def test_space_plays_and_pauses(page):
    page.press(Keys.SPACE)
    assert page.playing
    page.until(lambda: page.step >= 2)
    page.press(Keys.SPACE)
    assert not page.playing
    paused = page.step
    page.press(Keys.ARROW_RIGHT)
    assert page.step == paused + 1


def test_keys_on_a_focused_button_press_it_once(page):
    page["next"].send_keys(Keys.SPACE)
    assert (page.step, page.playing) == (1, False)
    page["play"].send_keys(Keys.SPACE)
    assert page.playing
    page["play"].send_keys(Keys.ENTER)
    assert not page.playing
    page["last"].send_keys(Keys.ENTER)
    page["last"].send_keys(Keys.ARROW_LEFT)  # the button at its end still lets keys through
    assert page.step == STEPS - 1


def test_buttons_by_mouse(page):
    for name, step in (
        ("next", 1),
        ("next", 2),
        ("previous", 1),
        ("last", STEPS),
        ("next", STEPS),
        ("first", 0),
    ):
        page[name].click()
        assert page.step == step
    assert page["first"].get_attribute("aria-disabled") == "true"
    assert page["next"].get_attribute("aria-disabled") == "false"


def test_playing_ends_at_the_last_step_and_starts_over(page):
    page["speed"].send_keys("10")
    page["play"].click()
    assert page["status"].get_attribute("aria-live") == "off"
    page.until(lambda: not page.playing)
    assert page.step == STEPS
    assert page["status"].get_attribute("aria-live") == "polite"
    page["play"].click()
    page.until(lambda: 0 < page.step < STEPS)
    page["previous"].click()
    assert not page.playing


def test_slider_and_charts_by_mouse(page):
    page.click_at(page["slider"], 0.5)
    assert page.step == STEPS // 2
    for chart in page.driver.find_elements(By.CSS_SELECTOR, ".chart .canvas"):
        page.click_at(chart, 0.99)
        assert page.step == STEPS
        page.click_at(chart, 0.02)
        assert page.step == 0
        assert chart.accessible_name.strip()


def test_charts_draw_the_whole_session(page, frames):
    page.press(Keys.END)
    lines = page.driver.find_elements(By.CSS_SELECTOR, ".chart .past")
    assert len(lines) == 4  # reward with its expectation, satisfaction, patience
    for line in lines:
        points = np.array([point.split(",") for point in line.get_attribute("points").split()], float)
        assert len(points) == STEPS + 1
        assert (np.diff(points[:, 0]) > 0).all()
    heights = -np.array([point.split(",")[1] for point in lines[2].get_attribute("points").split()], float)
    satisfaction = np.array([frame.satisfaction for frame in frames])
    assert np.corrcoef(heights, satisfaction)[0, 1] > 0.999
    marks = page.driver.find_elements(By.CSS_SELECTOR, ".chart .event.click")
    assert len(marks) == sum(any(one.events for one in frame.slate) for frame in frames)


def test_text_from_outside_stays_text(page):
    assert page.driver.title == f"World: user 0, served by {EVIL}"
    assert page["title"].text == page.driver.title
    assert page.driver.find_elements(By.CSS_SELECTOR, "h1 *") == []


def test_nothing_is_asked_of_the_network_and_nothing_fails(page):
    page["play"].click()
    page.press(Keys.END)
    messages = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]
    asked = [
        one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"
    ]
    assert len(asked) == 1
    assert asked[0].startswith("file:")
    assert page.driver.get_log("browser") == []
    refused = "return fetch('https://example.org').then(() => 'sent', () => 'refused')"
    assert page.driver.execute_script(refused) == "refused"


def test_every_control_has_a_name_and_is_reached_by_tab(page):
    reached = []
    for _ in range(7):
        page.press(Keys.TAB)
        focused = page.driver.switch_to.active_element
        assert focused.accessible_name
        assert focused.value_of_css_property("outline-style") == "solid"
        reached.append(focused.get_attribute("id"))
    assert reached == ["first", "previous", "play", "next", "last", "slider", "speed"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast(page, scheme):
    """At least 4.5 to 1, as WCAG 2.1 asks at level AA."""
    prefer(page.driver, scheme)
    page.press(*[Keys.ARROW_RIGHT] * 6)
    faint = page.driver.execute_script(CONTRAST, 4.5)
    assert faint == []


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1160, 1200, 1600])
@pytest.mark.parametrize("slate_size", [1, 4])
def test_nothing_is_cut_or_scrolls_sideways(driver, addresses, width, slate_size):
    """The last step has an item with all answers, the widest that there is."""
    resize(driver, width, 800)
    driver.get(addresses[slate_size])
    page = Page(driver)
    for key in (Keys.HOME, Keys.END):
        page.press(key)
        assert driver.execute_script(CUT_OFF) == []
    assert page.texts("#slate tbody tr:first-child .badge") == list(WORDS.values())


def test_slates_of_one_show_the_history_as_rows(driver, sessions, addresses):
    driver.get(addresses[1])
    page = Page(driver)
    page.press(Keys.END)
    shown = sessions[1][-1].history[-1]
    latest = page.texts("#history li")[0].split()
    assert latest == [str(shown.item), "topic", str(shown.topic), f"{shown.price:.2f}", *WORDS.values()]
