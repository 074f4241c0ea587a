"""Schedules files: what is written is read back, and grids are what they say."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from cases import CASES

import jaxdecay
from jaxdecay import schedules_file
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


GRID = """
[[schedule]]
family = "constant"
value = [0.1, 0.2]

[[schedule]]
family = "cosine"
transition_steps = 9
init_value = {values}
end_value = {values}
power = {values}
"""
INSIDE = """
[[schedule]]
family = "warmup"
warmup_steps = {values}
schedule = {{ family = "cosine", init_value = {values}, transition_steps = {values} }}
"""


@pytest.mark.parametrize(
    ("text", "line", "number"), [(GRID, 6, "1,000,000,002"), (INSIDE, 2, "1,000,000")]
)
def test_a_grid_is_counted_before_it_is_created(tmp_path, text, line, number) -> None:
    path = tmp_path / "many.toml"
    path.write_text(text.format(values=[1 + step / 1_000 for step in range(1_000)]))
    with pytest.raises(ValueError, match=f"line {line}, .* {number} schedules, expected at most"):
        read_schedules(path)


def test_a_file_may_describe_as_many_as_the_message_says(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(schedules_file, "MOST", 10)
    path = tmp_path / "many.toml"
    path.write_text(GRID.format(values=[0.1, 0.2]))
    assert len(read_schedules(path)) == 10
    path.write_text(GRID.format(values=[0.1, 0.2]) + '[[schedule]]\nfamily = "constant"\nvalue = 1')
    with pytest.raises(ValueError, match="describes 11 schedules, expected at most 10;"):
        read_schedules(path)
