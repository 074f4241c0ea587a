"""Sweeps in TensorBoard and MLflow: read back with their own programs."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import jax
import pytest
from commands import error_of, finished, in_a_process, in_this_process

import jaxdecay
from jaxdecay.report.export import member_runs

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


@pytest.fixture(scope="module")
def result() -> jaxdecay.SweepResult:
    """Two families, one schedule inside another, one list of numbers, and one that diverges."""
    population = jaxdecay.stack(
        [
            jaxdecay.warmup(jaxdecay.cosine(0.1, transition_steps=80), warmup_steps=8),
            jaxdecay.piecewise_constant([0.1, 0.01], boundaries=[44]),
            jaxdecay.constant(1e20),
        ]
    )
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return jaxdecay.sweep(
            jaxdecay.classifier(jaxdecay.digits()), population, epochs=2, seeds=2, seed=5
        )


@pytest.fixture(scope="module")
def saved(result, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "sweep"
    result.save(folder)
    return folder


def test_runs_are_the_members_with_all_their_hyperparameters(result):
    runs = list(member_runs(result))
    assert [run.name for run in runs] == [
        f"{number}-{family}-seed-{seed}"
        for number, (family, seed) in enumerate(
            (family, seed)
            for family in ("warmup", "piecewise_constant", "constant")
            for seed in (5, 6)
        )
    ]
    assert runs[0].hyperparameters["schedule.family"] == "cosine"
    assert runs[0].hyperparameters["schedule.init_value"] == 0.1
    assert runs[0].hyperparameters["warmup_steps"] == 8
    assert runs[0].hyperparameters["optimizer"] == "sgd"
    assert runs[2].hyperparameters["boundaries"] == "[44]"
    assert [run.diverged for run in runs] == [False] * 4 + [True] * 2
    assert all(math.isfinite(value) for run in runs for _, _, value in run.points)
    losses = [(step, value) for name, step, value in runs[3].points if name == "test_loss"]
    assert [step for step, _ in losses] == [44, 88]
    assert [value for _, value in losses] == result.history["test_loss"][:, 1, 1].tolist()
    rates = [step for name, step, _ in runs[3].points if name == "learning_rate"]
    assert rates == [0, 44]


def wait_for(there: Any, server: subprocess.Popen[str], seconds: float = 300) -> None:
    """Until a server that is starting gives the right answer."""
    end = time.monotonic() + seconds
    while True:
        assert server.poll() is None, server.communicate()[1]
        with contextlib.suppress(OSError):
            if there():
                return
        assert time.monotonic() < end, "the server does not give the right answer"
        time.sleep(0.5)


def answer(url: str, question: object = None) -> Any:
    body = None if question is None else json.dumps(question).encode()
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=300) as found:
        return json.load(found)


def test_tensorboard_shows_curves_and_hyperparameters(result, saved, tmp_path):
    """The real server is asked what its pages ask it."""
    done = in_a_process("export", saved, "--tensorboard", "logs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tensorboard --logdir logs" in done.stdout
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    words = ["--logdir", "logs", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *words],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{port}/data"
    names = [run.name for run in member_runs(result)]
    try:
        wait_for(lambda: sorted(answer(f"{url}/runs")) == names, server)
        curve = answer(f"{url}/plugin/scalars/scalars?run={names[3]}&tag=test_loss")
        assert [(step, value) for _, step, value in curve] == [
            (44, pytest.approx(float(result.history["test_loss"][0, 1, 1]))),
            (88, pytest.approx(float(result.history["test_loss"][1, 1, 1]))),
        ]
        page = answer(f"{url}/plugin/hparams/experiment", {"experimentName": ""})
        columns = {each["name"] for each in page["hparamInfos"]}
        assert columns >= {"family", "schedule.init_value", "boundaries", "value", "seed"}
        metrics = {each["name"]["tag"] for each in page["metricInfos"]}
        assert metrics >= {"test_accuracy", "test_loss", "train_loss", "learning_rate"}
        question = {
            "experimentName": "",
            "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE"],
            "colParams": [{"metric": {"tag": "test_accuracy"}, "includeInResult": True}],
            "startIndex": 0,
            "sliceSize": 10,
        }
        path = f"{url}/plugin/hparams/session_groups"
        wait_for(lambda: len(answer(path, question)["sessionGroups"]) == len(names), server)
    finally:
        server.terminate()
        server.communicate()


def test_a_folder_that_is_not_empty_is_refused(saved, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = in_this_process("export", saved, "--tensorboard", tmp_path, cwd=tmp_path)
    assert "is not empty; choose another folder" in error_of(done, code=2)
    nothing = in_this_process("export", saved, cwd=tmp_path)
    assert "needs a destination; give --tensorboard FOLDER" in error_of(nothing, code=2)


READ_BACK = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient("sqlite:///mlflow.db")
experiment = client.get_experiment_by_name(sys.argv[1])
runs = client.search_runs([experiment.experiment_id], order_by=["attributes.run_name"])
print(json.dumps([
    [run.info.run_name, run.info.status, run.data.params,
     [[each.step, each.value] for each in client.get_metric_history(run.info.run_id, "test_loss")]]
    for run in runs
]))
"""


@pytest.mark.slow
def test_mlflow_has_a_run_for_each_member(result, saved, tmp_path):
    done = in_a_process("export", saved, "--mlflow", "sqlite:///mlflow.db", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    read = finished([sys.executable, "-c", READ_BACK, str(saved)], cwd=tmp_path)
    assert read.returncode == 0, read.stderr
    found = json.loads(read.stdout.splitlines()[-1])
    runs = list(member_runs(result))
    assert [name for name, *_ in found] == [run.name for run in runs]
    assert [status for _, status, *_ in found] == ["FINISHED"] * 4 + ["FAILED"] * 2
    for (_, _, params, losses), run in zip(found, runs, strict=True):
        assert params == {name: str(value) for name, value in run.hyperparameters.items()}
        expected = [[step, value] for name, step, value in run.points if name == "test_loss"]
        assert losses == expected


@pytest.mark.slow
def test_mlflow_that_does_not_answer_or_has_it_already_is_one_line(result, saved, tmp_path):
    nobody = in_a_process(
        *("export", saved, "--mlflow", "http://127.0.0.1:9"),
        cwd=tmp_path,
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
    )
    assert "MLflow: " in error_of(nobody, code=1)
    for code in (0, 1):
        done = in_a_process("export", saved, "--mlflow", "sqlite:///twice.db", cwd=tmp_path)
        assert done.returncode == code, done.stderr
    assert f"experiment {saved} has runs already" in error_of(done, code=1)


@pytest.mark.parametrize(
    ("package", "option", "extra"),
    [("tensorboardX", "--tensorboard", "tensorboard"), ("mlflow", "--mlflow", "mlflow")],
)
def test_without_the_extra_one_line_says_what_to_install(
    saved, tmp_path, monkeypatch, package, option, extra
):
    monkeypatch.setitem(sys.modules, package, None)
    for name in [each for each in sys.modules if each.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    done = in_this_process("export", saved, option, "there", cwd=tmp_path)
    assert f"pip install 'jaxdecay[{extra}]'" in error_of(done, code=1)
