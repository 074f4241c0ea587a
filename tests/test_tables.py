"""Tables that were sorted or cut by hand are read by their columns, or refused."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest

import jaxdecay


@pytest.fixture
def folder(tmp_path, relaxed_promotion) -> Path:
    task = jaxdecay.classifier(jaxdecay.digits())
    rates = jaxdecay.grid(jaxdecay.constant, value=[0.1, 0.3])
    jaxdecay.sweep(task, rates, epochs=2, seeds=2, batch_size=140).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["history.csv", "members.csv"])
def test_tables_are_read_by_their_columns(folder, name):
    expected = jaxdecay.SweepResult.load(folder)
    header, *rows = (folder / name).read_text().splitlines()
    for order in (sorted(rows), rows[::-1]):
        (folder / name).write_text("\n".join([header, *order]) + "\n")
        loaded = jaxdecay.SweepResult.load(folder)
        jax.tree.map(np.testing.assert_array_equal, loaded.history, expected.history)
        np.testing.assert_array_equal(loaded.final_learning_rate, expected.final_learning_rate)


@pytest.mark.parametrize("name", ["history.csv", "members.csv"])
def test_rows_and_columns_that_are_missing_are_refused(folder, name):
    header, *rows = (folder / name).read_text().splitlines()
    damaged = [
        *([header, *rows[1:]], [header, *rows, rows[0]], [header, *rows[1:], rows[1]]),
        [header.replace("member", "number"), *rows],
    ]
    for lines in damaged:
        (folder / name).write_text("\n".join(lines) + "\n")
        with pytest.raises(ValueError, match=r"are damaged: .*(history|member)"):
            jaxdecay.SweepResult.load(folder)


def test_a_history_without_its_first_epoch_is_refused(folder):
    header, *rows = (folder / "history.csv").read_text().splitlines()
    (folder / "history.csv").write_text("\n".join([header, *rows[4:]]) + "\n")
    with pytest.raises(ValueError, match="does not have each member once in each epoch"):
        jaxdecay.SweepResult.load(folder)
