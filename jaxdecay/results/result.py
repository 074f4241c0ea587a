"""The result of a sweep: metrics for each member and epoch, their ranking and comparison."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Self

import numpy as np

from jaxdecay.population import Population
from jaxdecay.results import files
from jaxdecay.results.consistency import last_sound
from jaxdecay.results.metric import LOSS, Metric, check_target, larger_is_better
from jaxdecay.results.row import Row
from jaxdecay.results.statistics import Comparison, compare, resolution_of
from jaxdecay.results.wording import metric_title, remedy_for_divergence
from jaxdecay.schedule import Schedule
from jaxdecay.spelling import counted, nearest

NOTEBOOK_ROWS = 20


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
        schedules, seeds = self.diverged.shape
        return (
            f"<SweepResult: {counted(schedules, 'schedule')} × {counted(seeds, 'seed')} on "
            f"{self.settings['data']}, {counted(self.steps, 'step')}, "
            f"{counted(int(self.diverged.sum()), 'member')} diverged>"
        )

    def _repr_html_(self) -> str:
        """In a notebook: the best schedules."""
        rows = self.rows()[:NOTEBOOK_ROWS]
        head = ["rank", "schedule", *map(metric_title, self.tested)]
        lines = [[row.place, row.name, *row.cells(self.main_metric)] for row in rows]
        table = "".join(
            f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
            for tag, cells in [("th", head), *(("td", line) for line in lines)]
        )
        return f"{escape(repr(self).strip('<>'))}<table>{table}</table>"

    def to_pandas(self, *, history: bool = False) -> Any:
        """A `pandas.DataFrame` with one row per member, like `members.csv`.

        Args:
            history: return one row per member and epoch instead, like `history.csv`.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        import pandas

        if not history:
            return pandas.DataFrame(self.member_rows())
        epochs = map(self._epoch, range(self.epochs))
        rows = (files.history_rows(epoch, values) for epoch, values in enumerate(epochs))
        return pandas.DataFrame(itertools.chain.from_iterable(rows))

    def _epoch(self, epoch: int) -> dict[str, np.ndarray]:
        """An epoch of the history: by name, arrays [S, K]."""
        return {name: values[epoch] for name, values in self.history.items()}

    @property
    def epochs(self) -> int:
        """E, the epochs that were trained."""
        return len(self.history["train_loss"])

    @property
    def diverged(self) -> np.ndarray:
        """[S, K], whether a member diverged."""
        return self.diverged_at >= 0

    @property
    def sound(self) -> np.ndarray:
        """[S], whether none of a schedule's members diverged."""
        return np.asarray((self.diverged_at < 0).all(axis=1))

    @property
    def tested(self) -> list[str]:
        """The names in the history of what is measured on the test set."""
        return [name for name in self.history if name.startswith("test_")]

    @property
    def metrics(self) -> dict[str, np.ndarray]:
        """By name, arrays [S, K] from the last epoch, or the last before a member diverged."""
        return last_sound(self.history)

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
            ValueError: an unknown metric, or a target above 1 for a share of the test examples.
        """
        metric = self.main_metric if metric is None else metric
        larger = self.larger_is_better(metric)
        check_target(self.measures, metric, target)
        values = self.history[metric]
        reached = values >= target if larger else values <= target
        steps = (1 + reached.argmax(axis=0)) * (self.steps // len(values))
        return np.where(reached.any(axis=0), steps, np.inf)

    @property
    def member_steps_per_second(self) -> float:
        """Updates of single networks in a second, tests included, compiling not."""
        return self.member_steps / self.run_seconds

    @property
    def shared(self) -> float:
        """The share of all members' steps that was not trained again, as their rates agreed."""
        return 1 - self.member_steps / (self.diverged.size * self.steps)

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
        keys.append(~self.sound)
        return np.lexsort(keys)

    @property
    def main_metric(self) -> str:
        """The name in the history of what ranks schedules, as the task declares it."""
        return f"test_{self.ranks_by}"

    def larger_is_better(self, metric: str) -> bool:
        """The direction of a metric, by its name in the history, as the task declares it.

        Raises:
            ValueError: an unknown metric; a learning rate is none.
        """
        known = larger_is_better(self.measures)
        if metric not in known:
            raise ValueError(
                f"metric must be one of {', '.join(known)}; got {metric!r}{nearest(metric, known)}"
            )
        return known[metric]

    def _limits(self, metric: str, values: np.ndarray, target: float | None) -> dict[str, Any]:
        """The smallest step of a metric, or of the steps to a target, and between what it is."""
        if target is not None:
            return {"resolution": self.steps // self.epochs}
        examples = self.settings["test_examples"]
        if any(each.is_share and metric == f"test_{each.name}" for each in self.measures):
            return {"resolution": 1 / examples, "limits": (0.0, 1.0)}
        return {"resolution": resolution_of(values, examples)}

    def compare(
        self,
        metric: str | None = None,
        *,
        confidence: float = 0.95,
        target: float | None = None,
    ) -> Comparison:
        """Compares the schedules over seeds: intervals, and which are significantly worse.

        Args:
            metric: a name of `metrics`; None for the one that ranks schedules. Its direction is
                that which the task declares.
            confidence: of the intervals, between 0 and 1.
            target: compare the steps to it, as `steps_to` counts them, instead of last values.

        Returns:
            A `jaxdecay.results.statistics.Comparison`; schedules with a diverged member have no
            numbers in it.

        Raises:
            ValueError: an unknown metric, or `confidence` out of range.
        """
        metric = self.main_metric if metric is None else metric
        larger = self.larger_is_better(metric)
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
        values = self.metrics[metric] if target is None else self.steps_to(target, metric)
        values = np.where(self.diverged, np.nan, values)
        return compare(
            values,
            metric,
            larger_is_better=larger and target is None,
            confidence=confidence,
            **self._limits(metric, values, target),
            best=int(self.ranking(target=target)[0]) if metric == self.main_metric else None,
        )

    def best(self) -> Schedule:
        """The best schedule of the ranking; ValueError if every schedule has a diverged member."""
        if not self.sound.any():
            raise ValueError(f"every schedule diverged; {remedy_for_divergence(self.diverged_at)}")
        return self.population[int(self.ranking()[0])]

    def rows(self, *, target: float | None = None, confidence: float = 0.95) -> list[Row]:
        """The leaderboard: one row for each schedule, best first.

        Args:
            target: rank by the steps to it, as `ranking` does, and count them.
            confidence: of the intervals.

        Example:
            >>> import jaxdecay
            >>> task = jaxdecay.classifier(jaxdecay.digits())
            >>> rates = jaxdecay.grid(jaxdecay.constant, value=[0.001, 0.1])
            >>> [row.name for row in jaxdecay.sweep(task, rates).rows()]
            ['constant(value=0.1)', 'constant(value=0.001)']
        """
        comparison, metrics = self.compare(confidence=confidence, target=target), self.metrics
        of_metric, schedules = self.compare(confidence=confidence), list(self.population)
        steps_to = None if target is None else self.steps_to(target).mean(axis=1)
        diverged, final_rates = self.diverged.sum(axis=1), self.final_learning_rate.mean(axis=1)
        return [
            Row(
                rank=rank,
                index=index,
                schedule=schedules[index],
                values={name: metrics[name][index] for name in self.tested},
                diverged=int(diverged[index]),
                interval=(float(of_metric.low[index]), float(of_metric.high[index])),
                is_best=index == comparison.best,
                like_best=bool(comparison.like_best[index]),
                more_seeds=0 if index == comparison.best else int(comparison.more_seeds[index]),
                steps_to=None if steps_to is None else float(steps_to[index]),
                final_rate=float(final_rates[index]),
            )
            for rank, index in enumerate(self.ranking(target=target).tolist(), start=1)
        ]

    def member_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of `members.csv`: what a member was, how it ended, its last metrics."""
        metrics, seeds = self.metrics, len(self.seeds)
        for index, schedule in enumerate(self.population):
            values = schedule.to_dict()
            family = values.pop("family")
            for k, seed in enumerate(self.seeds):
                yield {
                    "member": index * seeds + k,
                    "schedule": index,
                    "family": family,
                    "hyperparameters": json.dumps(values),
                    "seed": seed,
                    "status": self.status(index, k),
                    **{n: float(metrics[n][index, k]) for n in (*self.tested, "train_loss")},
                    "final_learning_rate": float(self.final_learning_rate[index, k]),
                }

    def status(self, schedule: int, seed: int) -> str:
        """ "finished" or "diverged at step N, in epoch E" for a member, by its indices."""
        step, epoch = self.diverged_at[schedule, seed], self.sound_epochs[schedule, seed]
        return "finished" if step < 0 else f"diverged at step {step}, in epoch {epoch}"

    def diverged_members(self) -> list[dict[str, int]]:
        """Index of the schedule, seed, step and epoch of each member that diverged."""
        return [
            {
                "schedule": s,
                "seed": self.seeds[k],
                "step": int(self.diverged_at[s, k]),
                "epoch": int(self.sound_epochs[s, k]),
            }
            for s, k in np.argwhere(self.diverged).tolist()
        ]

    def summary(self, target: float | None = None) -> dict[str, Any]:
        """What `sweep.json` holds: settings, schedules, ranking, comparison, speed and machine."""
        steps_to = None if target is None else files.plain(self.steps_to(target).mean(axis=1))
        return {
            "settings": dict(self.settings),
            "measures": [metric.to_dict() for metric in self.measures],
            "ranks_by": self.ranks_by,
            "schedules": [schedule.to_dict() for schedule in self.population],
            "seeds": list(self.seeds),
            "members": int(self.diverged.size),
            "diverged_members": int(self.diverged.sum()),
            "diverged": self.diverged_members(),
            "ranking": self.ranking(target=target).tolist(),
            "target": target,
            "steps_to_target": steps_to,
            "comparison": {name: files.plain(each) for name, each in vars(self.compare()).items()},
            "epochs": self.epochs,
            "steps": self.steps,
            "member_steps": self.member_steps,
            "wall_seconds": self.compile_seconds + self.run_seconds,
            "compile_seconds": self.compile_seconds,
            "run_seconds": self.run_seconds,
            "member_steps_per_second": self.member_steps_per_second,
            "versions": dict(self.versions),
            "machine": dict(self.machine),
        }

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        target: float | None = None,
    ) -> None:
        """Writes `members.csv`, `history.csv` and `sweep.json`, which `load` reads.

        `sweep.json` is written last: if it exists, all files are complete.
        `jaxdecay.write_report` draws the result.

        Args:
            folder: created if it does not exist.
            overwrite: write even if the folder holds another sweep.
            target: rank by the steps to it, as `ranking` does.

        Raises:
            FileExistsError: the folder holds another sweep.
        """
        folder = files.prepare(folder, overwrite=overwrite)
        (folder / files.SWEEP).unlink(missing_ok=True)
        tables = {
            files.HISTORY: files.history_table(map(self._epoch, range(self.epochs))),
            files.MEMBERS: files.csv_table(self.member_rows()),
        }
        values = files.value_digests(self.history, self.final_learning_rate)
        files.write_results(folder, tables, values, self.summary(target))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Reads a result that `save` or `jaxdecay sweep` wrote; numbers are bit-identical.

        Args:
            folder: of a finished sweep.

        Raises:
            ValueError: no sweep has finished there, or a file is damaged, changed, or of another.
        """
        return cls(**files.read(folder))
