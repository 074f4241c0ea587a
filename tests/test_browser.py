"""The report in a real browser, without a network: Chromium, driven by Selenium.

Skipped where there is no Chromium, unless JAXDECAY_BROWSER=1 says that there must be one.
JAXDECAY_SCREENSHOTS names a folder for pictures of what the browser shows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from chromium import IN_A_BROWSER, headers, move_to, opacities, point, rows, until

import jaxdecay
from jaxdecay.report.page import page

pytestmark = IN_A_BROWSER


def swept(schedules: int, seeds: int, epochs: int) -> jaxdecay.SweepResult:
    """Two families of schedules, the second four times as many; one more that diverges."""
    few = max(1, schedules // 5)
    population = jaxdecay.concat(
        jaxdecay.sample(jaxdecay.inverse_time, few, jax.random.key(0), init_value=(0.01, 0.3)),
        jaxdecay.grid(
            jaxdecay.cosine,
            init_value=np.geomspace(0.001, 0.5, schedules - few - 1).tolist(),
            transition_steps=epochs * 10,
        ),
        jaxdecay.stack([jaxdecay.constant(1e20)]),
    )
    task = jaxdecay.classifier(jaxdecay.digits())
    return jaxdecay.sweep(task, population, epochs=epochs, seeds=seeds, batch_size=140, block=50)


SIZES = {3: (3, 1, 8), 60: (20, 3, 8), 5_000: (1_000, 5, 4)}
"""By number of members: schedules, seeds, epochs."""


@pytest.fixture(scope="module", params=SIZES, ids=lambda members: f"{members} members")
def report(request, browser, tmp_path_factory) -> Iterator[Any]:
    """The browser, with the report of a sweep in it; its result and the time it took to show."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        result = swept(*SIZES[request.param])
        path = tmp_path_factory.mktemp("report") / "report.html"
        path.write_text(page(result, target=0.8))
    assert path.stat().st_size < 1.5e6
    started = time.monotonic()
    browser.get(path.as_uri())
    until(lambda: browser.find_elements("css selector", "#seeds .plotly"))
    yield browser, result, time.monotonic() - started
    screenshot(browser, f"report_{request.param}")


def screenshot(browser: Any, name: str) -> None:
    folder = os.environ.get("JAXDECAY_SCREENSHOTS")
    if folder:
        whole = browser.execute_script("return document.documentElement.scrollHeight")
        browser.set_window_size(1300, whole + 150)
        browser.save_screenshot(str(Path(folder, f"{name}.png")))
        browser.set_window_size(1300, 1000)


def test_it_loads_without_a_network_and_without_errors(report):
    browser, result, seconds = report
    assert seconds < 20  # 1 to 3 on an idle machine
    assert browser.get_log("browser") == []
    asked = browser.execute_script("return performance.getEntriesByType('resource').length")
    assert asked == 0
    assert len(rows(browser)) == min(25, len(result.population))
    best = result.population[int(result.ranking(target=0.8)[0])]
    assert browser.find_element("id", "python").text.endswith(repr(best))
    drawn = browser.execute_script("return document.getElementById('curves').data.length")
    shown = len(result.population) - 1 if len(result.population) <= 60 else 10 + 2
    assert drawn == 4 * shown


def test_sorting(report):
    browser, result, _ = report
    place = [each.text for each in headers(browser)].index("test loss")
    sound = (result.diverged_at < 0).all(axis=1)
    losses = np.sort(result.metrics["test_loss"].mean(axis=1)[sound])
    for order in (losses, losses[::-1]):
        headers(browser)[place].click()
        found = [row[place] for row in rows(browser)]
        expected = [f"{each:.4f}" for each in order[:25]]
        assert [each for each in found if "diverged" not in each] == expected
    headers(browser)[0].click()
    places = [row.place for row in result.rows(target=0.8)]
    assert [row[0] for row in rows(browser)] == places[: len(rows(browser))]


def test_filtering(report):
    from selenium.webdriver.support.select import Select

    browser, result, _ = report
    Select(browser.find_element("id", "family")).select_by_value("inverse_time")
    number = sum(schedule.family == "inverse_time" for schedule in result.population)
    until(lambda: len(rows(browser)) == min(25, number))
    assert all(row[1].startswith("inverse_time(") for row in rows(browser))
    Select(browser.find_element("id", "family")).select_by_value("")
    search = browser.find_element("id", "search")
    search.send_keys("1e+20")
    until(lambda: len(rows(browser)) == 1)
    ((place, name, *_),) = rows(browser)
    assert (place, name) == ("–", "constant(value=1e+20)")
    search.clear()
    search.send_keys(" \b")


def test_more_rows_when_asked(report):
    browser, result, _ = report
    more = browser.find_element("id", "more")
    assert more.is_displayed() == (len(result.population) > 25)
    if more.is_displayed():
        more.click()
        assert len(rows(browser)) == 125


def test_hovering_names_the_schedule(report):
    browser, result, _ = report
    last = len(opacities(browser)) - 1  # of the last panel, the accuracies
    move_to(browser, point(browser, last)).perform()
    text = until(
        lambda: browser.execute_script(
            "return document.querySelector('#curves .hovertext')?.textContent"
        )
    )
    assert text.startswith("№ ")
    assert any(f"{schedule.family}(" in text for schedule in result.population)


def test_a_click_isolates_a_curve_and_another_shows_all(report):
    browser, _, _ = report
    last = len(opacities(browser)) - 1
    move_to(browser, point(browser, last)).perform()
    until(lambda: browser.find_elements("css selector", "#curves .hovertext"))
    move_to(browser, point(browser, last)).click().perform()
    if len(opacities(browser)) > 8:
        until(lambda: 0.08 in opacities(browser))
    assert opacities(browser).count(1) == 4
    selected = browser.find_elements("css selector", "#leaderboard [aria-selected=true]")
    assert len(selected) == 1
    browser.find_element("id", "all").click()
    assert not browser.find_element("id", "all").is_displayed()
    until(lambda: set(opacities(browser)) == {1})


def test_a_row_shows_its_curve(report):
    browser, result, _ = report
    sound = int((result.diverged_at < 0).all(axis=1).sum())
    before = len(opacities(browser))
    row = browser.find_elements("css selector", "#leaderboard tbody tr")[min(20, sound) - 1]
    schedule = result.population[int(row.get_attribute("data-schedule"))]
    row.click()
    until(lambda: opacities(browser).count(1) == 4)
    assert len(opacities(browser)) == before + (4 if len(result.population) > 60 else 0)
    assert repr(schedule) in browser.find_element("id", "python").text
    browser.find_element("id", "all").click()


def test_light_and_dark(report):
    browser, _, _ = report
    grounds = set()
    for _ in range(2):
        browser.find_element("id", "theme").click()
        grounds.add(
            browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        )
    assert grounds == {"rgb(255, 255, 255)", "rgb(20, 23, 28)"}
    assert browser.get_log("browser") == []


def test_hyperparameters_of_each_family(report):
    from selenium.webdriver.support.select import Select

    browser, result, _ = report
    choice = Select(browser.find_element("id", "panel"))
    for place, option in enumerate([each.text for each in choice.options]):
        choice.select_by_index(place)
        number = sum(schedule.family == option for schedule in result.population)
        values = browser.execute_script(
            "return document.getElementById('hyperparameters').data[0].x.length"
        )
        assert values == number


def test_a_grid_is_a_heat_map_whose_cells_name_their_schedules(browser, tmp_path):
    population = jaxdecay.grid(
        jaxdecay.inverse_time, init_value=[0.3, 0.03, 0.1], decay_rate=[0.01, 0.001]
    )
    task = jaxdecay.classifier(jaxdecay.digits())
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        result = jaxdecay.sweep(task, population, epochs=1, batch_size=140)
        (tmp_path / "report.html").write_text(page(result))
    browser.get((tmp_path / "report.html").as_uri())
    until(lambda: browser.find_elements("css selector", "#hyperparameters .plotly"))
    cells = browser.find_elements("css selector", "#hyperparameters .bars .point path")
    assert len(cells) == 6
    accuracy = result.metrics["test_accuracy"].mean(axis=1).reshape(3, 2)
    colours = [cell.value_of_css_property("fill") for cell in cells]
    # Bars are rows of the grid from below; its columns are in the order of their values.
    lowest = accuracy[[1, 2, 0]][:, [1, 0]].T.ravel().argmin()
    assert colours[lowest] == "rgb(68, 1, 84)"  # the dark end of Viridis
    box = cells[lowest].rect
    place = (round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2))
    top = browser.execute_script("return window.scrollY")
    browser.execute_script("document.getElementById('hyperparameters').scrollIntoView()")
    moved = browser.execute_script("return window.scrollY") - top
    move_to(browser, (place[0], round(place[1] - top - moved))).perform()
    text = until(
        lambda: browser.execute_script(
            "return document.querySelector('#hyperparameters .hovertext')?.textContent"
        )
    )
    worst = result.population[int(accuracy.argmin())]
    assert f"init_value={worst.init_value:.4g}" in text
    assert browser.get_log("browser") == []
