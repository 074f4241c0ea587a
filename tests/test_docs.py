"""Every example in docstrings and pages runs, and prints what it says."""

from __future__ import annotations

import dataclasses
import doctest
import importlib
import json
import os
import pkgutil
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import jaxdecay

ROOT = Path(__file__).parents[1]
DOCS = ROOT / ".github" / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
MODULES = sorted(
    each.name
    for each in pkgutil.walk_packages(jaxdecay.__path__, "jaxdecay.")
    # The second is a class of PyTorch's, which need not be installed.
    if each.name not in ("jaxdecay.__main__", "jaxdecay.migration.torch_scheduler")
)

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


@pytest.fixture(autouse=True)
def no_new_families():
    """Decays that examples define are forgotten after them."""
    known = dict(jaxdecay.families)
    yield
    jaxdecay.families.clear()
    jaxdecay.families.update(known)


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of one language in a Markdown file."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def run_examples(text: str, name: str) -> int:
    """Runs the `>>>` examples of a text; fails if one prints something else. How many there are."""
    test = doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, name, None, 0)
    report: list[str] = []
    doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)
    return len(test.examples)


def documented(name: str) -> dict[str, str]:
    """Docstrings of a module, of its functions, classes, methods and families."""
    module = importlib.import_module(name)
    found = {each.name: each.docstring for each in doctest.DocTestFinder().find(module, globs={})}
    families = jaxdecay.families.items()
    return found | {each: made.__doc__ for each, made in families if made.__module__ == name}


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    for where, text in documented(name).items():
        run_examples(text, where)


def test_docstrings_of_methods_and_decays_are_found():
    assert "jaxdecay.schedule.Schedule.to_dict" in documented("jaxdecay.schedule")
    assert "cosine" in documented("jaxdecay.decays.cosines")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_in_pages(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "\n".join(blocks(page, "pycon"))
    count = run_examples(text, page.name)
    assert count > 5 or page.stem in ("index", "names", "reference")
    if page.stem == "README":
        assert (tmp_path / "runs" / "readme" / "report.html").exists()


def test_the_runner_of_examples_can_fail():
    with pytest.raises(AssertionError, match="Got:"):
        run_examples(">>> 1 + 1\n3\n", "wrong")


def test_the_decay_in_contributing_works(monkeypatch):
    (block,) = blocks(ROOT / "CONTRIBUTING.md", "python")
    namespace = {"__name__": "contributing"}
    monkeypatch.setitem(sys.modules, "contributing", type(sys)("contributing"))
    exec(block, namespace)
    assert float(namespace["inverse_square"](1.0, decay_rate=0.5)(2)) == 0.25


def commands() -> list[list[str]]:
    """Commands of jaxdecay in the pages that stand on a line of their own.

    One about the folder of a sweep comes after the one that started it.
    """
    lines = "".join("".join(blocks(page, "sh")) for page in PAGES).splitlines()
    groups: list[list[str]] = []
    for line in dict.fromkeys(lines):
        if not line.startswith("jaxdecay "):
            continue
        words = shlex.split(line)
        starts = [group for group in groups if group[0].partition("--out ")[2] in words]
        if starts:
            starts[0].append(line)
        else:
            groups.append([line])
    return groups


@pytest.mark.slow
@pytest.mark.parametrize("group", commands(), ids=lambda group: group[0])
def test_commands_in_the_pages(group, tmp_path):
    if "mnist" in group[0] and "JAXDECAY_DATA" not in os.environ:
        pytest.skip("needs the MNIST files: set JAXDECAY_DATA to their folder")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    digits = dataclasses.asdict(jaxdecay.digits())
    np.savez(tmp_path / "mine.npz", **{name: digits[name] for name in digits if name != "name"})
    for command in group:
        words = [sys.executable, "-m", *shlex.split(command)]
        run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        if "sweep" in words and "--out" in words:
            folder = tmp_path / words[words.index("--out") + 1]
            assert (folder / "sweep.json").exists()
        if "--resume" in words and "--epochs" in words:
            epochs = int(words[words.index("--epochs") + 1])
            assert f",{epochs - 1}," in (folder / "history.csv").read_text().splitlines()[-1]


def test_the_speeds_on_the_pages_are_the_measured_ones():
    path = ROOT / "benchmarks" / "results" / "sweep_throughput_2_cores.json"
    report = json.loads(path.read_text())
    lines = (DOCS / "long_runs.md").read_text().splitlines()
    for row in report["rows"]:
        speeds = [f"{round(row[way]['median'], -2):,.0f}" for way in ("sweep", "loop", "vmap")]
        ratios = [f"{row[f'sweep_over_{way}']['median']:.2f}" for way in ("loop", "vmap")]
        share = f"{row['sweep']['share_of_bound']['median']:.2f}"
        cells = [f"{row['members']:,}", str(row["block"]), *speeds, *ratios, share]
        assert f"| {' | '.join(cells)} |" in lines
    readme = (ROOT / "README.md").read_text().splitlines()
    for name, figures in report["peers"].items():
        assert f"| {name} | {round(figures['median'], -1):,.0f} |" in lines
        assert f"| {name} | {round(figures['median'], -1):,.0f} |" in readme
    (row,) = (row for row in report["rows"] if row["members"] == 256)
    for way, name in (
        ("sweep", "`jaxdecay.sweep`, 256 in blocks of 8"),
        ("vmap", "one big `vmap`, 256 at a time"),
    ):
        assert f"| {name} | {round(row[way]['median'], -1):,.0f} |" in readme


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_in_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_toml_in_pages_is_in_its_file():
    for page in PAGES:
        for block in blocks(page, "toml"):
            assert block in (ROOT / "examples" / "decays.toml").read_text()


def test_every_public_name_is_in_the_reference():
    conf = runpy.run_path(str(DOCS / "conf.py"))
    text = conf["with_families"]((DOCS / "reference.md").read_text())
    listed = re.findall(r"^\.\. [\w:]+:: jaxdecay\.(\w+)$", text, re.MULTILINE)
    assert sorted(set(listed) - {"domain"}) == sorted(dir(jaxdecay))


@pytest.mark.slow
def test_the_documentation_is_made_without_a_warning(tmp_path):
    words = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", DOCS, tmp_path]
    made = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert made.returncode == 0, made.stderr
    reference = (tmp_path / "reference.html").read_text()
    for name in dir(jaxdecay):
        assert f'id="jaxdecay.{name}"' in reference
