"""The options of a sweep: written once, checked when they are given, read from files with gaps."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path

import optax
import pytest

import jaxdecay
from jaxdecay.training.config import SweepConfig, stored_options

PACKAGE = Path(jaxdecay.__file__).parent


def names_in(path: Path) -> set[str]:
    """The names that a file reads, passes or defines; those in docstrings do not count."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        for attribute in ("id", "attr", "arg", "name"):
            found.add(getattr(node, attribute, None))
    return found


def test_an_option_is_written_where_it_is_declared_given_and_acts():
    files = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if "precision" in names_in(path) and path.name != "layout.py"  # has its own parameter
    }
    assert "config.py" in files
    assert len(files) == 3, files


def test_sweep_takes_each_option_by_its_name():
    shown = inspect.signature(jaxdecay.sweep).parameters
    assert list(shown)[:2] == ["task", "population"]
    options = inspect.signature(SweepConfig).parameters
    assert {name: shown[name] for name in list(shown)[2:]} == dict(options)
    with pytest.raises(TypeError, match=r"unexpected option 'epoch' \(did you mean 'epochs'\?\)"):
        jaxdecay.sweep(None, None, epoch=3)


def test_what_is_stored_comes_back():
    config = SweepConfig(optimizer=optax.adam, epochs=3, block=4, precision="float32")
    stored = json.loads(json.dumps(config.to_dict()))
    assert stored["optimizer"] == "adam"
    assert SweepConfig.from_dict(stored, optax.adam) == config


@pytest.mark.parametrize("option", sorted(set(stored_options()) - {"optimizer"}))
def test_an_option_that_is_missing_has_its_default(option):
    stored = SweepConfig(epochs=3, batch_size=8, seeds=2, seed=5, block=4).to_dict()
    del stored[option]
    config = SweepConfig.from_dict(stored, optax.sgd)
    assert getattr(config, option) == stored_options()[option]


def test_what_is_not_an_option_is_refused():
    with pytest.raises(ValueError, match="no option 'momentum'"):
        SweepConfig.from_dict({"momentum": 0.9}, optax.sgd)
    with pytest.raises(ValueError, match="stop_diverged is 'yes'"):
        SweepConfig.from_dict({"stop_diverged": "yes"}, optax.sgd)
    with pytest.raises(TypeError, match="epochs must be an integer, got '3'"):
        SweepConfig.from_dict({"epochs": "3"}, optax.sgd)


def test_the_last_seed_is_the_largest_of_32_bits():
    assert SweepConfig(seed=2**32 - 2, seeds=2).all_seeds == (2**32 - 2, 2**32 - 1)
    with pytest.raises(ValueError, match="got 3 seeds that start at 4294967294"):
        SweepConfig(seed=2**32 - 2, seeds=3)
    with pytest.raises(ValueError, match="got 1 seeds that start at -1"):
        SweepConfig(seed=-1)


def test_what_changes_no_number_is_not_part_of_a_sweep_s_identity():
    identity = SweepConfig().identity()
    assert {"batch_size", "precision", "monitor", "seeds", "seed", "optimizer"} == set(identity)
