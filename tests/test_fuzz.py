"""The command line with whatever people and files may give it: one line, and never a traceback."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import hypothesis
import pytest
import tomli_w
from commands import in_this_process
from hypothesis import strategies

import jaxdecay

EXAMPLES = 2_500 if os.environ.get("JAXDECAY_HYPOTHESIS") == "long" else 50

pytestmark = pytest.mark.usefixtures("relaxed_promotion")

words = strategies.text(
    strategies.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12
)
names = strategies.one_of(words, strategies.sampled_from(sorted(jaxdecay.families)))
numbers = strategies.one_of(
    strategies.integers(-(2**70), 2**70), strategies.floats(), strategies.booleans()
)
hostile = strategies.sampled_from(
    [
        "__class__",
        "__import__('os')",
        "../../etc/passwd",
        "/",
        "self",
        "step",
        "family",
        "a\nb",
        "-",
    ]
)
plain = strategies.recursive(
    strategies.one_of(numbers, words, hostile),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(words | hostile, inner, max_size=3)
    ),
    max_leaves=5,
)


def parameters_of(family: str) -> list[str]:
    known = jaxdecay.families.get(family)
    return sorted(known.decay.parameters) if known is not None else []


@strategies.composite
def tables(draw) -> dict:
    """A schedule's table: a family, some of its own hyperparameters and some that it has not."""
    family = draw(names | hostile)
    keys = strategies.one_of(
        words, hostile, *([strategies.sampled_from(own)] if (own := parameters_of(family)) else [])
    )
    return {**draw(strategies.dictionaries(keys, plain, max_size=4)), "family": family}


def run(*arguments: str, cwd: Path | None = None) -> tuple[int, str]:
    """Runs a command in this process; its exit code and what it wrote to the standard error."""
    done = in_this_process(*arguments, cwd=cwd or Path.cwd())
    return done.returncode, done.stderr


def assert_one_line(code: int, errors: str, *, right: bool) -> None:
    assert "Traceback" not in errors
    assert code == (0 if right else 2), errors
    told = [line for line in errors.splitlines() if line.startswith(("error:", "Error:"))]
    assert bool(told) is not right, errors


def is_right(table: object) -> bool:
    """Whether a table is a schedule, by the library itself."""
    try:
        jaxdecay.Schedule.from_dict(table)
    except (ValueError, TypeError, RecursionError):
        return False
    return True


@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(tables())
def test_show_of_any_family_and_hyperparameters(table):
    family = table.pop("family")
    hypothesis.assume(not family.startswith("-") and not family.endswith(".toml"))
    hypothesis.assume(not any(name.startswith("-") or "=" in name for name in table))
    pairs = [f"{name}={json.dumps(value)}" for name, value in table.items()]
    read = {name: json.loads(json.dumps(value)) for name, value in table.items()}
    code, errors = run("show", family, *pairs, "--steps", "10")
    assert_one_line(code, errors, right=is_right({**read, "family": family}))


@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(strategies.lists(tables(), max_size=3), words | strategies.just("schedule"))
def test_schedules_files_of_any_content(tmp_path_factory, content, key):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    with contextlib.suppress(ValueError, TypeError):
        path.write_text(tomli_w.dumps({key: content}))
    code, errors = run("show", str(path), "--steps", "10")
    assert_one_line(code, errors, right=code == 0)
    if code == 0:
        assert key == "schedule"
        assert len(jaxdecay.read_schedules(path)) >= len(content) > 0


@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(strategies.binary(max_size=60))
def test_schedules_files_of_any_bytes(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.toml"
    path.write_bytes(content)
    assert_one_line(*run("show", str(path)), right=False)


OPTIONS = ["--data", "--epochs", "--batch-size", "--seeds", "--seed", "--optimizer", "--monitor"]
OPTIONS += ["--block", "--precision", "--keep", "--checkpoint-every", "--schedules", "--resume"]
OPTIONS += ["--data-dir", "--process", "--processes", "--coordinator", "--decays"]


@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(
    strategies.sampled_from(OPTIONS) | words.map(lambda word: f"--{word}"),
    words | hostile | strategies.integers(-(2**70), 0).map(str),
)
def test_sweep_with_any_wrong_option(tmp_path_factory, option, value):
    """Nothing of this is a valid value of a valid option, so nothing is trained."""
    hypothesis.assume(not (option == "--seed" and value == "0"))
    hypothesis.assume(option not in ("--help", "--overwrite", "--stop-diverged", "--distributed"))
    hypothesis.assume(option != "--out" and not value.isdigit())
    folder = tmp_path_factory.getbasetemp()
    assert_one_line(*run("sweep", option, value, cwd=folder), right=False)
    assert not (folder / "runs").exists()


@hypothesis.settings(max_examples=EXAMPLES)
@hypothesis.given(
    strategies.sampled_from(["confirm", "export", "plot", "report", "watch"]), words | hostile
)
def test_folders_that_hold_no_sweep(tmp_path_factory, command, folder):
    hypothesis.assume(folder != "--help")
    code, errors = run(command, folder, cwd=tmp_path_factory.getbasetemp())
    assert_one_line(code, errors, right=False)


def test_a_thousand_tables(tmp_path):
    path = tmp_path / "many.toml"
    table = '[[schedule]]\nfamily = "constant"\nvalue = 0.1\n'
    path.write_text(table * 1_000)
    assert len(jaxdecay.read_schedules(path)) == 1_000
    path.write_text(table * 999 + '[[schedule]]\nfamily = "../constant"\n')
    code, errors = run("show", str(path))
    assert_one_line(code, errors, right=False)
    assert "line 2998, schedule 1000: unknown family '../constant'" in errors


def test_the_check_of_lines_can_fail():
    with pytest.raises(AssertionError):
        assert_one_line(*run("show", "constant", "value=-1"), right=True)
    with pytest.raises(AssertionError):
        assert_one_line(*run("show", "constant", "value=0.1", "--steps", "10"), right=False)
