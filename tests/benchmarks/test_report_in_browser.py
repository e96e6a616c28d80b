"""The page of `recsim-env report` in a real browser: it sorts, follows the scheme, and asks for nothing."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.report import report
from tests.benchmarks.browser import By, Keys, Page, prefer, resize, started
from tests.benchmarks.test_report import EVIL, write_experiment

CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    write_experiment(folder / "toy")
    page, _ = report(folder, None, None, Console(quiet=True))
    return page.as_uri()


@pytest.fixture(scope="module")
def driver():
    with started() as driver:
        yield driver


@pytest.fixture
def page(driver, address):
    resize(driver, 1200, 800)
    prefer(driver, "light")
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(address)
    return Page(driver)


def column(page, number):
    return page.texts(f"tbody td:nth-child({number})")


def test_headings_sort_by_mouse_and_keyboard(page):
    page.driver.find_element(By.CSS_SELECTOR, "th:nth-child(3) button").click()
    assert column(page, 3) == ["-10", "2.5", "1,234.50"]
    head = page.driver.find_element(By.CSS_SELECTOR, "th:nth-child(3)")
    assert head.get_attribute("aria-sort") == "ascending"
    page.press(Keys.ENTER)
    assert column(page, 3) == ["1,234.50", "2.5", "-10"]
    assert head.get_attribute("aria-sort") == "descending"
    page.driver.find_element(By.CSS_SELECTOR, "th:nth-child(4) button").click()
    assert column(page, 4) == ["2", "1,000", "–"]  # what is missing stays last
    page.press(Keys.ENTER)
    assert column(page, 4) == ["1,000", "2", "–"]
    assert head.get_attribute("aria-sort") is None
    assert "descending" in page["status"].get_attribute("textContent")


def test_nothing_is_asked_for_and_nothing_goes_wrong(page):
    entries = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]
    asked = [
        entry["params"]["request"]["url"]
        for entry in entries
        if entry["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith("file:")] == []
    assert len(asked) == 1
    assert page.driver.get_log("browser") == []
    assert page.driver.title == "Results of recsim_env"
    assert EVIL in page.texts("tbody td:first-child")


def test_figures_are_seen_in_both_schemes(page):
    def paint():
        return page.driver.execute_script(
            "const path = document.querySelector('figure svg [id$=\"patch_1\"] path');"
            "return [getComputedStyle(path).fill, getComputedStyle(document.body).backgroundColor,"
            " document.querySelector('figure svg').getBoundingClientRect().width]"
        )

    light = paint()
    prefer(page.driver, "dark")
    dark = paint()
    assert light[0] == "rgb(255, 255, 255)"
    assert dark[0] == "rgb(25, 29, 34)"
    assert light[1] != dark[1]
    assert light[2] > 150


@pytest.mark.parametrize("width", [1200, 400])
def test_it_fits_screens_of_any_width(page, width):
    resize(page.driver, width, 800)
    assert page.driver.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out(page, scheme):
    prefer(page.driver, scheme)
    assert page.driver.execute_script(CONTRAST, 4.5) == []
