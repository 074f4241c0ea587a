"""Tables that were sorted or cut by hand are read by their columns, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from commands import edit, error_of, in_this_process

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


@pytest.mark.parametrize("column", ["learning_rate", "train_loss", "test_loss", "test_accuracy"])
def test_a_column_that_was_renamed_is_one_line(folder, column):
    text = (folder / "history.csv").read_text()
    (folder / "history.csv").write_text(text.replace(column, "renamed", 1))
    line = error_of(in_this_process("report", folder, cwd=folder), code=1)
    assert "are damaged: history.csv lacks the column" in line
    assert column in line


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": {}}, "settings must be a dictionary with batch_size, data, optimizer"),
        ({"settings": None}, "settings must be a dictionary"),
        ({"machine": []}, "machine must be a dictionary with cores, platform"),
        ({"versions": []}, "versions must be a dictionary"),
        ({"run_seconds": 0}, "run_seconds must be a number above 0, got 0"),
        ({"run_seconds": "1"}, "run_seconds must be a number above 0, got '1'"),
        ({"steps": None}, "steps must be a number above 0, got None"),
        ({"member_steps": -1}, "member_steps must be a number above 0, got -1"),
        ({"ranks_by": "f1"}, "lacks the column test_f1, which ranks"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_edited_facts_are_one_line(folder, change, words):
    edit(folder / "sweep.json", **change)
    for command in (("report",), ("export", "--tensorboard", "board")):
        assert words in error_of(in_this_process(*command, folder, cwd=folder), code=1)


def test_no_test_examples_are_one_line(folder):
    facts = json.loads((folder / "sweep.json").read_text())
    edit(folder / "sweep.json", settings={**facts["settings"], "test_examples": 0})
    line = error_of(in_this_process("plot", folder, cwd=folder), code=1)
    assert "test_examples must be a number above 0, got 0" in line


def test_watching_a_history_without_its_metric_is_one_line(folder):
    run = {"data": "digits", "data_dir": None, "decays": None, "steps": 1, "data_sha256": ""}
    run |= {"confirms": None, "own_decays": {}, "config": {"optimizer": "sgd", "seeds": 2}}
    run |= {"schedules": json.loads((folder / "sweep.json").read_text())["schedules"]}
    (folder / "run.json").write_text(json.dumps(run))
    text = (folder / "history.csv").read_text()
    (folder / "history.csv").write_text(text.replace("test_accuracy", "renamed", 1))
    line = error_of(in_this_process("watch", folder, cwd=folder), code=1)
    assert line.endswith("is damaged: it lacks test_accuracy")


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


def test_a_history_without_its_last_epoch_is_refused(folder):
    lines = (folder / "history.csv").read_text().splitlines(keepends=True)
    (folder / "history.csv").write_text("".join(lines[:-4]))
    with pytest.raises(ValueError, match=r"history\.csv has 1 epochs, but sweep\.json says 2"):
        jaxdecay.SweepResult.load(folder)


def test_a_history_without_one_of_its_metrics_is_refused(folder):
    edit(folder / "sweep.json", ranks_by="loss")
    rows = [line.split(",") for line in (folder / "history.csv").read_text().splitlines()]
    place = rows[0].index("test_accuracy")
    lines = [",".join(row[:place] + row[place + 1 :]) for row in rows]
    (folder / "history.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="lacks the column test_accuracy, which is measured"):
        jaxdecay.SweepResult.load(folder)


def test_a_metric_that_was_edited_is_noticed_and_one_that_was_rounded_is_not(folder):
    path = folder / "members.csv"
    header, *rows = path.read_text().splitlines()
    place = header.split(",").index("test_loss") - len(header.split(","))
    cells = rows[2].split(",")
    for factor, is_same in ((1 + 1e-6, True), (1.001, False)):
        changed = [*cells]
        changed[place] = repr(float(cells[place]) * factor)
        path.write_text("\n".join([header, *rows[:2], ",".join(changed), rows[3]]) + "\n")
        if is_same:
            assert jaxdecay.SweepResult.load(folder).epochs == 2
        else:
            with pytest.raises(
                ValueError, match=r"test_loss of member 2 ends at .* in members.csv"
            ):
                jaxdecay.SweepResult.load(folder)
