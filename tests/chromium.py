"""Chromium, driven by Selenium, without a network; what tests ask of a report that it shows.

Tests are skipped where there is no Chromium, unless JAXDECAY_BROWSER=1 says that there must be one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
MUST = os.environ.get("JAXDECAY_BROWSER") == "1"

IN_A_BROWSER = [
    pytest.mark.slow,
    pytest.mark.usefixtures("relaxed_promotion"),
    pytest.mark.skipif(
        not (MUST or (CHROMIUM and DRIVER)),
        reason="no Chromium with chromedriver here (Debian: chromium chromium-driver)",
    ),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Selenium's sockets
]


@contextlib.contextmanager
def running() -> Iterator[Any]:
    """A browser that reaches no network."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (
        *("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
        *("disable-background-networking", "disable-component-update", "disable-sync"),
        *("window-size=1300,1000", "host-resolver-rules=MAP * ~NOTFOUND"),  # no network
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


def rows(browser: Any) -> list[list[str]]:
    return browser.execute_script(
        "return [...document.querySelectorAll('#leaderboard tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))"
    )


def headers(browser: Any) -> list[Any]:
    return browser.find_elements("css selector", "#leaderboard th button")


def opacities(browser: Any) -> list[float]:
    return browser.execute_script(
        "return document.getElementById('curves').data.map((each) => each.opacity ?? 1)"
    )


def point(browser: Any, trace: int) -> tuple[int, int]:
    """Where on the screen the middle point of a curve is."""
    browser.execute_script("document.getElementById('curves').scrollIntoView({block: 'center'})")
    x, y = browser.execute_script(
        """
        const plot = document.getElementById("curves"), line = plot.data[arguments[0]];
        const at = Math.floor(line.x.length / 2), whole = plot._fullLayout;
        const axis = (name) => whole[name[0] + "axis" + name.slice(1)];
        const [x, y] = [axis(line.xaxis), axis(line.yaxis)];
        const box = plot.getBoundingClientRect();
        return [box.left + x._offset + x.d2p(line.x[at]), box.top + y._offset + y.d2p(line.y[at])];
        """,
        trace,
    )
    return round(x), round(y)


def move_to(browser: Any, place: tuple[int, int]) -> Any:
    from selenium.webdriver.common.action_chains import ActionChains

    actions = ActionChains(browser, duration=50)
    actions.w3c_actions.pointer_action.move_to_location(*place)
    return actions


def until(condition: Any) -> Any:
    """What a condition gives as soon as it is true."""
    end = time.monotonic() + 300
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def opened(browser: Any, path: Path, contents: str) -> int:
    """Shows a report; the number of its scripts."""
    path.write_text(contents, encoding="utf-8")
    browser.get(path.as_uri())
    until(lambda: browser.find_elements("css selector", "#seeds .plotly"))
    return browser.execute_script("return document.scripts.length")
