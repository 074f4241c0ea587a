"""A report of data, decays, modules and folders with hostile names, in a browser: nothing runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from chromium import IN_A_BROWSER, headers, opacities, opened, rows, until
from test_results import found

import jaxdecay
from jaxdecay.definition import decay_of
from jaxdecay.registry import families
from jaxdecay.report.page import page

pytestmark = IN_A_BROWSER


HOSTILE = {
    "markup": "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>",
    "quotes and lines": "\"'`;window.ran = 1;//\n\r\u2028a\\u003c",
    "right to left": "\u202e\u2066evil\u2069 \u05d0",
    "a formula": '=HYPERLINK("javascript:window.ran=1","a")',
    "Plotly's markup": "<a href='javascript:window.ran=1'>%{x}<br>$\\alpha$</a>",
    "the page's own marks": "[[content]][[plotly]]${window.ran = 1}",
}


def hostile(name: str, folder: Path) -> jaxdecay.SweepResult:
    """A sweep whose data, family, option and folders have such a name, as no file could have it."""

    def family(step: Any, init_value: float, *, way: Any = "a") -> Any:
        return init_value / (1 + step)

    family.__annotations__["way"] = Literal["a", name]
    decay = jaxdecay.decay(family)
    declared = decay_of(decay)
    families.pop("family")
    declared.family = name
    rates = [decay(0.1 * (1 + place), way=name) for place in range(4)]
    result = found(np.array([[0.9, 0.91], [0.8, 0.82], [0.7, 0.71], [0.95, 0.94]]))
    texts = {"data": name, "optimizer": name, "checkpoints": str(folder / "x")}
    return dataclasses.replace(
        result,
        population=jaxdecay.stack(rates),
        settings={**result.settings, **texts},
        machine={**result.machine, "platform": name},
        versions={name: name},
    )


def click_and_copy_all(browser: Any) -> None:
    from selenium.webdriver.support.select import Select

    for place in range(len(headers(browser))):
        headers(browser)[place].click()
    for choice in ("family", "panel"):
        names = Select(browser.find_element("id", choice))
        for place in range(len(names.options)):
            names.select_by_index(place)
    Select(browser.find_element("id", "family")).select_by_index(1)
    for row in range(4):
        browser.find_elements("css selector", "#leaderboard tbody tr")[row].click()
        until(lambda: browser.find_element("id", "python").text)
        for button in browser.find_elements("css selector", "[data-copy]"):
            button.click()
            until(lambda button=button: button.text in ("Copied", "Selected"))
            copied = browser.execute_script("return getSelection().toString()")
            assert "init_value" in copied


def search_and_hover(browser: Any) -> None:
    browser.find_element("id", "search").send_keys("<img src=x onerror=window.ran=1>")
    browser.find_element("id", "search").clear()
    browser.find_element("id", "search").send_keys(" \b")
    browser.find_element("id", "all").click()
    until(lambda: set(opacities(browser)) == {1})
    for curve in range(len(opacities(browser))):
        browser.execute_script(
            "const line = document.getElementById('curves').data[arguments[0]];"
            "const panel = (line.xaxis ?? 'x') + (line.yaxis ?? 'y');"
            "Plotly.Fx.hover('curves', [{curveNumber: arguments[0], pointNumber: 0}], panel)",
            curve,
        )
    until(lambda: browser.find_elements("css selector", "#curves .hovertext"))


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_no_name_runs_when_everything_is_clicked_and_copied(browser, tmp_path, name):
    usual = opened(browser, tmp_path / "usual.html", page(found()))
    folder = tmp_path / name.replace("/", "\u2215")[:80]
    folder.mkdir()
    result = hostile(name, folder)
    scripts = opened(browser, folder / "report.html", page(result, target=0.8))
    shown = rows(browser)
    assert [row[0] for row in shown] == ["1", "2", "3", "–"]
    assert all(" ".join(row[1].split()).startswith(" ".join(name.split())[:9]) for row in shown)
    title = browser.execute_script("return document.title")
    assert " ".join(title.split()).endswith(" ".join(f"on {name}".split()))
    click_and_copy_all(browser)
    search_and_hover(browser)
    assert browser.execute_script("return window.ran") is None
    links = "return [...document.querySelectorAll('a')].map((each) => each.href)"
    linked = [link for link in browser.execute_script(links) if "javascript" in link]
    assert linked == []
    # No element that is not of the page itself, and no request.
    assert browser.execute_script("return document.querySelectorAll('img').length") == 0
    assert browser.execute_script("return document.scripts.length") == scripts == usual
    asked = "return performance.getEntriesByType('resource').length"
    assert browser.execute_script(asked) == 0
