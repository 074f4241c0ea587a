"""What a sweep found: metrics of each member and epoch, their ranking and comparison."""

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
    """What a sweep found. S schedules, K seeds, E epochs.

    Attributes:
        population: the schedules.
        seeds: the K seeds; member (s, k) is `train(population[s], jax.random.key(seeds[k]), …)`.
        history: by name, an array [E, S, K]: `learning_rate` (at the epoch's first step),
            `train_loss` (the mean over the epoch's batches, while training), `test_<metric>`. From
            the epoch in which a member diverged, all but its learning rate are not a number.
        diverged_at: [S, K], the first step whose training loss, or whose network, was not finite,
            or -1.
        final_learning_rate: [S, K], the schedules' values after the last step.
        settings: epochs, batch size and so on, as written to `sweep.json`.
        steps: batches that each member was trained on.
        member_steps: the steps that were trained: one that several members share, as their rates
            agree until then, counts once.
        compile_seconds: time it took to compile, and to measure blocks where none is known.
        run_seconds: time it took to train and to test, without compiling.
        machine: platform, cores and devices on which it ended.
        versions: of Python and packages, there.
        measures: the task's metrics, each with its direction.
        ranks_by: the name of the one that ranks schedules, or "loss".
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
        """In a notebook: the leaderboard."""
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
        """The members, one a row, as a `pandas.DataFrame`; the table of `members.csv`.

        Args:
            history: one row for each member and epoch instead; the table of `history.csv`.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        import pandas

        from jaxdecay.report.files import history_rows, member_rows

        if not history:
            return pandas.DataFrame(member_rows(self))
        epochs = range(len(self.history["train_loss"]))
        each = ({name: values[epoch] for name, values in self.history.items()} for epoch in epochs)
        rows = (row for epoch, found in enumerate(each) for row in history_rows(epoch, found))
        return pandas.DataFrame(rows)

    def to_tensorboard(self, folder: Any) -> None:
        """Writes each member as a run for TensorBoard, with its hyperparameters.

        Args:
            folder: empty, or made; `tensorboard --logdir FOLDER` shows it.

        Raises:
            FileExistsError: there is something in the folder.
            ModuleNotFoundError: tensorboardX is not installed: jaxdecay's extra `tensorboard`.
        """
        from jaxdecay.report.export import to_tensorboard

        to_tensorboard(self, folder)

    def to_mlflow(self, experiment: str, tracking_uri: str | None = None) -> None:
        """Logs each member as a run of MLflow; those that diverged as failed.

        Args:
            experiment: its name; made if need be, and without runs.
            tracking_uri: of a server or a database, such as "sqlite:///mlflow.db"; None for
                MLflow's own choice.

        Raises:
            ExportError: of `jaxdecay.report.export`: MLflow does not answer, or the experiment
                has runs already.
            ModuleNotFoundError: MLflow is not installed: jaxdecay's extra `mlflow`.
        """
        from jaxdecay.report.export import to_mlflow

        to_mlflow(self, experiment, tracking_uri)

    @property
    def metrics(self) -> dict[str, np.ndarray]:
        """By name, arrays [S, K]: the last epoch's, or the last before a member diverged."""
        last = np.maximum(self.sound_epochs - 1, 0)[None]
        return {
            name: np.take_along_axis(values, last, axis=0)[0]
            for name, values in self.history.items()
        }

    @property
    def sound_epochs(self) -> np.ndarray:
        """[S, K], how many epochs each member finished before it diverged."""
        # Of a member that has not diverged, a training loss is a number; its metrics need not be.
        return (~np.isnan(self.history["train_loss"])).sum(axis=0)

    def steps_to(self, target: float, metric: str | None = None) -> np.ndarray:
        """[S, K]: the steps after which a metric, tested once an epoch, first reached a target.

        Args:
            target: the value to reach: at least this where larger is better, else at most.
            metric: a name of the history; None for the metric that ranks schedules.

        Returns:
            Floats; infinity where the target was not reached.

        Raises:
            ValueError: there is no such metric.
        """
        metric = self.main_metric if metric is None else metric
        larger = self.larger_is_better(metric)
        values = self.history[metric]
        reached = values >= target if larger else values <= target
        steps = (1 + reached.argmax(axis=0)) * (self.steps // len(values))
        return np.where(reached.any(axis=0), steps, np.inf)

    @property
    def member_steps_per_second(self) -> float:
        """Updates of single networks in a second, tests included, compiling not."""
        return self.member_steps / self.run_seconds

    def ranking(self, *, target: float | None = None) -> np.ndarray:
        """Indices of the schedules, best first.

        By the mean over seeds of the metric that the task declares for it (`main_metric`), then by
        mean test loss; after all others come schedules whose metric is not finite, and last those
        with a diverged member.

        Args:
            target: rank by the mean number of steps to this value first; see `steps_to`.
        """
        metric = self.main_metric
        sign = -1.0 if self.larger_is_better(metric) else 1.0
        # Rounded, so that equal counts of right answers are equal: float32 makes them differ.
        main = np.round(self.metrics[metric].mean(axis=1, dtype=float), 7)
        main = np.where(np.isfinite(main), main, np.nan)  # which `lexsort` puts last
        keys = [self.metrics["test_loss"].mean(axis=1), sign * main]
        if target is not None:
            keys.append(self.steps_to(target, metric).mean(axis=1))
        keys.append((self.diverged_at >= 0).any(axis=1))
        return np.lexsort(keys)

    @property
    def main_metric(self) -> str:
        """The name in the history of what ranks schedules, as the task declares it."""
        return f"test_{self.ranks_by}"

    def larger_is_better(self, metric: str) -> bool:
        """The direction of a metric, by its name in the history, as the task declares it.

        Raises:
            ValueError: there is no such metric; a learning rate is none.
        """
        known = larger_is_better(self.measures)
        if metric not in known:
            raise ValueError(
                f"metric must be one of {', '.join(known)}; got {metric!r}{nearest(metric, known)}"
            )
        return known[metric]

    def _resolution(self, metric: str) -> float:
        """The smallest step of a metric: one test example of a share of them."""
        is_share = any(each.is_share and metric == f"test_{each.name}" for each in self.measures)
        return 1 / self.settings["test_examples"] if is_share else 0.0

    def compare(self, metric: str | None = None, *, confidence: float = 0.95) -> Comparison:
        """The schedules over seeds: intervals, and which the seeds cannot tell from the best.

        Args:
            metric: a name of `metrics`; None for the one that ranks schedules. Its direction is
                that which the task declares.
            confidence: of the intervals, between 0 and 1.

        Returns:
            A `jaxdecay.report.statistics.Comparison`; schedules with a diverged member have no
            numbers in it.

        Raises:
            ValueError: a metric that is not there, or `confidence` out of range.
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
            folder: made if need be.
            overwrite: write even if the folder holds another sweep.

        Raises:
            FileExistsError: the folder holds another sweep.
        """
        from jaxdecay.report.files import save

        save(self, folder, overwrite=overwrite)
