"""Names that a picture or a page could take for something else than a name."""

from __future__ import annotations

import dataclasses
import json
import warnings

import numpy as np
import PIL.Image
import pytest
from commands import in_this_process
from test_report import content_of, unpacked
from test_results import found

from jaxdecay.report.page import page
from jaxdecay.report.pictures import draw_all

pytestmark = pytest.mark.usefixtures("relaxed_promotion")

NAMES = {
    "a formula that is wrong": "a$^$c",
    "a formula": "a$b$c",
    "an escaped sign": r"a\$b$c",
    "a command of TeX": r"\frac{",
    "a mark of the page": "[[plotly]][[content]]",
    "a group of re.sub": r"\1\g<0>",
    "the end of a script": "</script><script>alert(1)</script>",
    "a byte that is no text": "b\udcfe",
    "half a character": "b\ud83d",
    "missing glyphs": "日本 🙂",
    "right to left": "\u202eevil",
    "lines and quotes": "a\n\"'`",
}


@pytest.mark.quick_each(3)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_every_name_is_drawn_and_reported(tmp_path, name):
    result = found()
    result = dataclasses.replace(result, settings={**result.settings, "data": name})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        names = draw_all(result, tmp_path, dark=False, dots=20)
    for each in names:
        assert np.asarray(PIL.Image.open(tmp_path / each).convert("L")).std() > 1
    html = page(result)
    html.encode()
    assert content_of(html)["title"].endswith(f" on {name}")
    assert unpacked(html, "plotly").startswith(b"/**\n* plotly.js")
    assert "alert(1)" not in html


def test_a_dollar_is_drawn_as_a_dollar(tmp_path):
    """The picture of a name with formulas differs from that of the name that they would become."""
    pixels = []
    for name in ("a$b$c", "abc"):
        result = found()
        result = dataclasses.replace(result, settings={**result.settings, "data": name})
        draw_all(result, tmp_path, dark=False, dots=60)
        pixels.append(np.asarray(PIL.Image.open(tmp_path / "curves.png").convert("L"))[:40] < 128)
    assert pixels[0].sum() > 1.02 * pixels[1].sum()  # two signs more in the title


def test_a_sweep_of_data_with_such_a_name_ends_and_is_drawn(tmp_path):
    random = np.random.default_rng(0)
    inputs, labels = random.uniform(size=(64, 4)).astype(np.float32), np.arange(64) % 2
    name = "a$^$ \udcfe.npz"
    np.savez(
        tmp_path / name,
        train_inputs=inputs,
        train_labels=labels,
        test_inputs=inputs[:16],
        test_labels=labels[:16],
    )
    (tmp_path / "two.toml").write_text('[[schedule]]\nfamily = "constant"\nvalue = [0.1, 0.2]')
    done = in_this_process(
        *("sweep", "--data", name, "--schedules", "two.toml", "--epochs", 1, "--out", "out"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert (
        json.loads((tmp_path / "out" / "sweep.json").read_text())["settings"]["data"] == name[:-4]
    )
    for command in (("plot", "out", "--dots", 20), ("report", "out")):
        done = in_this_process(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
