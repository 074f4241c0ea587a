"""Schedules files: what is written is read back, and grids are what they say."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from cases import CASES

import jaxdecay
from jaxdecay.schedules_file import read_schedules, to_toml, write_schedules


def test_every_schedule_survives_a_file(tmp_path: Path) -> None:
    schedules = [case.schedule for case in CASES]
    path = tmp_path / "all.toml"
    write_schedules(schedules, path)
    again = list(read_schedules(path))
    assert again == schedules
    assert list(map(repr, again)) == list(map(repr, schedules))
    assert len(tomllib.loads(path.read_text())["schedule"]) == len(CASES)


def test_tables_can_be_put_below_each_other(tmp_path: Path) -> None:
    """Each in the form that another can follow, however short it is."""
    schedules = [case.schedule for case in CASES]
    (tmp_path / "all.toml").write_text("\n".join(map(to_toml, schedules)))
    assert list(read_schedules(tmp_path / "all.toml")) == schedules


def test_a_population_survives_a_file(tmp_path: Path) -> None:
    population = jaxdecay.concat(
        jaxdecay.grid(jaxdecay.cosine, init_value=[0.1, 0.3], transition_steps=[10, 20]),
        jaxdecay.grid(jaxdecay.piecewise_constant, values=[[0.3, 0.1]], boundaries=[[5], [6]]),
    )
    write_schedules(population, tmp_path / "population.toml")
    assert list(read_schedules(tmp_path / "population.toml")) == list(population)


def test_no_schedules_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no schedules to write"):
        write_schedules([], tmp_path / "none.toml")
    assert not (tmp_path / "none.toml").exists()


def test_a_schedule_without_a_name_in_files_is_refused(tmp_path: Path) -> None:
    schedule = jaxdecay.warmup(
        jaxdecay.from_function(lambda step: 1.0 / (1 + step)), warmup_steps=10
    )
    with pytest.raises(ValueError, match=r"jaxdecay\.decay"):
        write_schedules([schedule], tmp_path / "nameless.toml")
