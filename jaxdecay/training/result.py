"""The result of a sweep: metrics for each member and epoch, their ranking and comparison."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdecay.population import Population
from jaxdecay.schedule import Schedule
from jaxdecay.spelling import nearest
from jaxdecay.training.metric import LOSS, Metric, larger_is_better

if TYPE_CHECKING:
    from jaxdecay.report.statistics import Comparison


@dataclasses.dataclass(frozen=True, eq=False)
class SweepResult:
    """The result of a sweep. S schedules, K seeds, E epochs.

    Attributes:
        population: the schedules.
        seeds: the K seeds; member (s, k) is `train(population[s], jax.random.key(seeds[k]), …)`.
        history: by name, an array [E, S, K]: `learning_rate` (at the epoch's first step),
            `train_loss` (the mean over the epoch's batches, while training), `test_<metric>`. From
            the epoch in which a member diverged, all but its learning rate are NaN.
        diverged_at: [S, K], the first step at which the training loss or the network was not
            finite, or -1.
        final_learning_rate: [S, K], the schedules' values after the last step.
        settings: epochs, batch size and so on, as written to `sweep.json`.
        steps: the number of batches that each member was trained on.
        member_steps: the number of steps trained. A step that several members share, because
            their rates agree until then, counts once.
        compile_seconds: the time to compile, and to measure block sizes that were unknown.
        run_seconds: the time to train and test, without compilation.
        machine: platform, cores and devices of the machine on which the sweep ended.
        versions: the versions of Python and packages on that machine.
        measures: the task's metrics, each with its direction.
        ranks_by: the name of the metric that ranks schedules, or "loss".
    """

    population: Population
    seeds: tuple[int, ...]
    history: Mapping[str, np.ndarray]
    diverged_at: np.ndarray
    final_learning_rate: np.ndarray
    settings: Mapping[str, Any]
    steps: int
    member_steps: int
    compile_seconds: float
    run_seconds: float
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    measures: tuple[Metric, ...] = ()
    ranks_by: str = LOSS

    def __repr__(self) -> str:
        schedules, seeds = self.diverged_at.shape
        diverged = int((self.diverged_at >= 0).sum())
        return (
            f"<SweepResult: {schedules} schedules × {seeds} seeds on {self.settings['data']}, "
            f"{self.steps} steps, {diverged} members diverged>"
        )

    def _repr_html_(self) -> str:
        """The leaderboard, which a notebook shows."""
        import io

        from rich.console import Console

        from jaxdecay.report.leaderboard import leaderboard

        console = Console(record=True, width=110, file=io.StringIO())
        console.print(leaderboard(self))
        return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")

    def plot(self) -> Any:
        """Draws learning rate, losses and the metric that ranks schedules against epoch.

        Returns:
            A Matplotlib `Figure`, which a notebook shows and `savefig` writes.
        """
        from jaxdecay.report.pictures import draw_curves

        return draw_curves(self)

    def to_pandas(self, *, history: bool = False) -> Any:
        """A `pandas.DataFrame` with one row per member, like `members.csv`.

        Args:
            history: return one row per member and epoch instead, like `history.csv`.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        import pandas

        from jaxdecay.report.files import history_rows, member_rows

        if not history:
            return pandas.DataFrame(member_rows(self))
        epochs = range(len(self.history["train_loss"]))
        tables = ({name: values[i] for name, values in self.history.items()} for i in epochs)
        rows = (row for epoch, table in enumerate(tables) for row in history_rows(epoch, table))
        return pandas.DataFrame(rows)

    def to_tensorboard(self, folder: Any) -> None:
        """Writes each member as a run for TensorBoard, with its hyperparameters.

        Args:
            folder: an empty folder, or one to create; `tensorboard --logdir FOLDER` shows it.

        Raises:
            FileExistsError: the folder is not empty.
            ModuleNotFoundError: tensorboardX is not installed; `jaxdecay[tensorboard]` has it.
        """
        from jaxdecay.report.export import to_tensorboard

        to_tensorboard(self, folder)

    def to_mlflow(self, experiment: str, tracking_uri: str | None = None) -> None:
        """Logs each member as an MLflow run; diverged members get the status "failed".

        Args:
            experiment: the name of an experiment without runs; created if missing.
            tracking_uri: the URI of a server or a database, such as "sqlite:///mlflow.db"; None
                for MLflow's default.

        Raises:
            ExportError: from `jaxdecay.report.export`: MLflow does not answer, or the experiment
                already has runs.
            ModuleNotFoundError: MLflow is not installed; `jaxdecay[mlflow]` has it.
        """
        from jaxdecay.report.export import to_mlflow

        to_mlflow(self, experiment, tracking_uri)

    @property
    def metrics(self) -> dict[str, np.ndarray]:
        """By name, arrays [S, K] from the last epoch, or the last before a member diverged."""
        last = np.maximum(self.sound_epochs - 1, 0)[None]
        return {
            name: np.take_along_axis(values, last, axis=0)[0]
            for name, values in self.history.items()
        }

    @property
    def sound_epochs(self) -> np.ndarray:
        """[S, K], how many epochs each member finished before it diverged."""
        # A training loss is NaN only if the member diverged; a metric may be NaN by itself.
        return (~np.isnan(self.history["train_loss"])).sum(axis=0)

    def steps_to(self, target: float, metric: str | None = None) -> np.ndarray:
        """[S, K], the steps after which a metric, tested once per epoch, first reached a target.

        Args:
            target: the value to reach: at least this if larger is better, else at most.
            metric: a name in the history; None for the metric that ranks schedules.

        Returns:
            Floats; infinity for members that did not reach the target.

        Raises:
            ValueError: the history has no such metric.
        """
        metric = self.main_metric if metric is None else metric
        larger = self.larger_is_better(metric)
        values = self.history[metric]
        reached = values >= target if larger else values <= target
        steps = (1 + reached.argmax(axis=0)) * (self.steps // len(values))
        return np.where(reached.any(axis=0), steps, np.inf)

    @property
    def member_steps_per_second(self) -> float:
        """Updates of single networks per second; the time includes testing, but no compilation."""
        return self.member_steps / self.run_seconds

    def ranking(self, *, target: float | None = None) -> np.ndarray:
        """Indices of the schedules, best first.

        Schedules are ranked by the mean over seeds of `main_metric`, then by mean test loss.
        Schedules whose metric is not finite come after all others, and those with a diverged
        member come last.

        Args:
            target: rank first by the mean number of steps to this value; see `steps_to`.
        """
        metric = self.main_metric
        sign = -1.0 if self.larger_is_better(metric) else 1.0
        # Rounded, so that equal numbers of correct predictions compare equal despite float32.
        main = np.round(self.metrics[metric].mean(axis=1, dtype=float), 7)
        main = np.where(np.isfinite(main), main, np.nan)  # which `lexsort` puts last
        keys = [self.metrics["test_loss"].mean(axis=1), sign * main]
        if target is not None:
            keys.append(self.steps_to(target, metric).mean(axis=1))
        keys.append((self.diverged_at >= 0).any(axis=1))
        return np.lexsort(keys)

    @property
    def main_metric(self) -> str:
        """The name in the history of the metric that ranks schedules, as the task declares it."""
        return f"test_{self.ranks_by}"

    def larger_is_better(self, metric: str) -> bool:
        """The direction of a metric, by its name in the history, as the task declares it.

        Raises:
            ValueError: the history has no such metric; the learning rate is not a metric.
        """
        known = larger_is_better(self.measures)
        if metric not in known:
            raise ValueError(
                f"metric must be one of {', '.join(known)}; got {metric!r}{nearest(metric, known)}"
            )
        return known[metric]

    def _resolution(self, metric: str) -> float:
        """The smallest step of a metric: one test example for a share, 0 for others."""
        is_share = any(m.is_share and metric == f"test_{m.name}" for m in self.measures)
        return 1 / self.settings["test_examples"] if is_share else 0.0

    def compare(self, metric: str | None = None, *, confidence: float = 0.95) -> Comparison:
        """Compares schedules over seeds: intervals, and which are not significantly worse.

        Args:
            metric: a name in `metrics`, with the direction that the task declares; None for the
                one that ranks schedules.
            confidence: the confidence level of the intervals, between 0 and 1.

        Returns:
            A `jaxdecay.report.statistics.Comparison`, without numbers for schedules with a
            diverged member.

        Raises:
            ValueError: the history has no such metric, or `confidence` is out of range.
        """
        from jaxdecay.report.statistics import compare

        metric = self.main_metric if metric is None else metric
        larger = self.larger_is_better(metric)
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
        values = np.where(self.diverged_at >= 0, np.nan, self.metrics[metric])
        best = int(self.ranking()[0]) if metric == self.main_metric else None
        return compare(
            values,
            metric,
            larger_is_better=larger,
            confidence=confidence,
            resolution=self._resolution(metric),
            best=best,
        )

    def best(self) -> Schedule:
        """The best schedule of the ranking; ValueError if every schedule has a diverged member."""
        if (self.diverged_at >= 0).any(axis=1).all():
            raise ValueError("every schedule diverged; try smaller learning rates")
        return self.population[int(self.ranking()[0])]

    def status(self, schedule: int, seed: int) -> str:
        """ "finished" or "diverged at step N, in epoch E" for a member, by its indices."""
        step, epoch = self.diverged_at[schedule, seed], self.sound_epochs[schedule, seed]
        return "finished" if step < 0 else f"diverged at step {step}, in epoch {epoch}"

    def save(self, folder: Any, *, overwrite: bool = False) -> None:
        """Writes `report.html`, `members.csv`, `history.csv`, `curves.png` and `sweep.json`.

        Args:
            folder: created if missing.
            overwrite: write even if the folder contains another sweep.

        Raises:
            FileExistsError: the folder contains another sweep.
        """
        from jaxdecay.report.files import save

        save(self, folder, overwrite=overwrite)
