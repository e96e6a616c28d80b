"""A headless browser without a network, and how a person uses the page of `recsim-env watch` in it.

Needs Chromium or Chrome with its driver on the PATH (on Debian: apt install chromium chromium-driver) and
selenium; tests that import this are skipped without them.
"""

import shutil
from contextlib import contextmanager

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.chrome.service import Service  # noqa: E402 - only where selenium is installed
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

__all__ = ["By", "Keys", "Page", "prefer", "resize", "started"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def first_found(names):
    return next((found for name in names if (found := shutil.which(name))), None)


@contextmanager
def started():
    """A driver, or a skip that says what is missing."""
    browser, driver_path = first_found(BROWSERS), shutil.which("chromedriver")
    if browser is None or driver_path is None:
        pytest.skip("no Chromium or Chrome with a chromedriver on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in (
        "--headless=new",
        "--no-sandbox",  # the sandbox needs rights that containers do not give
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND",  # no name resolves: whatever the page asked for would fail
        "--disable-background-networking",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_path))
    try:
        yield driver
    finally:
        driver.quit()


def resize(driver, width, height):
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(driver, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


class Page:
    """What a person reads off the page and does to it."""

    def __init__(self, driver):
        self.driver = driver

    def __getitem__(self, name):
        return self.driver.find_element(By.ID, name)

    @property
    def step(self):
        counter, slider = self.driver.execute_script(
            "return [document.getElementById('counter').innerText, document.getElementById('slider').value]"
        )
        assert counter.startswith(f"step {slider} of ")
        return int(slider)

    @property
    def playing(self):
        return self["play"].accessible_name == "Pause"

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def until(self, condition):
        WebDriverWait(self.driver, 20, poll_frequency=0.05).until(lambda _: condition())

    def texts(self, selector):
        return [found.text for found in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def click_at(self, element, share):
        """Click into an element, at a share of its width."""
        box = element.rect
        offset = round((share - 0.5) * (box["width"] - 2))
        ActionChains(self.driver).move_to_element_with_offset(element, offset, 0).click().perform()
