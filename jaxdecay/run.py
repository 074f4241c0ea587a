"""A sweep in a folder: what it was asked for is in `run.json`, so that it can go on from there."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import itertools
import json
import os
import re
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, get_args, get_origin

import filelock
import jax

import jaxdecay
from jaxdecay.report.files import RUN, write
from jaxdecay.schedule import Schedule
from jaxdecay.spelling import nearest
from jaxdecay.training.checkpoint import digest
from jaxdecay.training.config import SweepConfig
from jaxdecay.training.devices import one_device_per_core
from jaxdecay.training.fingerprint import of_own_decays
from jaxdecay.training.processes import ProcessError, agreed

HEARTBEAT_SECONDS = 30
"""So long after a process has died JAX ends those that wait for it."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What a sweep of the command line was asked for.

    Attributes:
        data: "digits", "mnist" or the path of a file.
        data_dir: folder of the MNIST files, or None.
        digest: of the data, which are the same when it goes on.
        decays: Python file of the user's own decays, or None.
        own_decays: by family, a fingerprint of each decay of the schedules that is not this
            library's, which is the same when it goes on.
        schedules: as of `Schedule.to_dict`.
        confirms: folder of the sweep whose best schedules these are, best first, or None.
        steps: of each member in an epoch, for whoever watches it without the data.
        config: the options of the sweep.
        checkpoint_every: epochs from one checkpoint to the next.
        keep: how many checkpoints are kept.
    """

    data: str
    data_dir: str | None
    digest: str
    decays: str | None
    own_decays: dict[str, str]
    schedules: list[dict[str, Any]]
    confirms: str | None
    steps: int
    config: SweepConfig
    checkpoint_every: int = 1
    keep: int = 3

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The run of a folder. An option that it lacks, as it is newer, has its default.

        Raises:
            ValueError: it holds none, or one that is damaged or of another version.
        """
        path = folder / RUN
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            there = folder.is_dir()
            what = (
                f"holds no sweep of the command line: no {RUN} in it" if there else "is no folder"
            )
            raise ValueError(f"{folder} {what}") from None
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}") from None
        fields = dataclasses.fields(cls)
        needed = {each.name for each in fields if each.default is dataclasses.MISSING}
        known = {each.name for each in fields}
        if not isinstance(values, dict) or not needed <= set(values) <= known:
            raise ValueError(f"{path} is not of this version of jaxdecay, or damaged")
        kinds = {**typing.get_type_hints(cls), "config": dict}
        for name, value in values.items():
            expected = get_origin(kinds[name]) or kinds[name]
            expected = kinds[name] if expected in (types.UnionType, typing.Union) else expected
            if not isinstance(value, expected):
                raise ValueError(f"{path} is damaged: {name} is {value!r}")
        try:
            options = {**values["config"]}
            config = SweepConfig.from_dict(options, optimizer_named(options["optimizer"]))
        except KeyError:
            raise ValueError(f"{path} is damaged: optimizer is missing") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: {error}") from None
        return cls(**{**values, "config": config})

    def write(self, folder: Path) -> None:
        """Puts it into its folder."""
        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        values = {**fields, "config": self.config.to_dict()}
        write(folder / RUN, json.dumps(values, indent=1).encode())

    def epochs_more(self, epochs: int) -> Self:
        """The same with more epochs; ValueError if they are fewer."""
        if epochs < self.config.epochs:
            raise ValueError(
                f"the sweep was started with {self.config.epochs} epochs; --epochs {epochs} is "
                "less, and it can only be more"
            )
        config = dataclasses.replace(self.config, epochs=epochs)
        return dataclasses.replace(self, config=config)

    def confirmed(self, folder: Path, best: Sequence[int], seeds: int) -> Self:
        """Its best schedules, by index, with the seeds that follow its own; it is in a folder."""
        new_seeds = self.config.seed + self.config.seeds
        return dataclasses.replace(
            self,
            schedules=[self.schedules[index] for index in best],
            confirms=str(folder),
            config=dataclasses.replace(self.config, seed=new_seeds, seeds=seeds),
        )

    def load(self) -> jaxdecay.Data:
        """Its data; ValueError if they are others than those that it was started with."""
        data = load(self.data, self.data_dir)
        if digest(data) != self.digest:
            raise ValueError(f"the data in {self.data} have changed since the sweep was started")
        return data

    def population(self) -> jaxdecay.Population:
        """Its schedules; ValueError if a decay of theirs is not what it was."""
        found = [Schedule.from_dict(each) for each in self.schedules]
        for family, each in of_own_decays(found).items():
            if each != self.own_decays.get(family):
                raise ValueError(
                    f"the decay {family} of {self.decays} has changed since the sweep was started; "
                    "undo the change, or start anew in another folder"
                )
        return jaxdecay.stack(found)


def connect(
    distributed: bool, coordinator: str | None, process: int | None, processes: int | None
) -> None:
    """Makes this process one of many, if it is; and each of its processor cores a device.

    Raises:
        ValueError: JAX cannot tell which process of how many this is, and was not told.
        ProcessError: the others do not answer.
    """
    one_device_per_core()
    if not distributed:
        if (coordinator, process, processes) != (None, None, None):
            raise ValueError("--coordinator, --process and --processes are for --distributed")
        return
    if coordinator is not None and not re.fullmatch(r".+:\d+", coordinator):
        raise ValueError(f"--coordinator must be HOST:PORT, got {coordinator!r}")
    try:
        jax.distributed.initialize(
            coordinator, processes, process, heartbeat_timeout_seconds=HEARTBEAT_SECONDS
        )
    except ValueError as error:
        raise ValueError(
            f"--distributed: {error} JAX finds no Slurm, Kubernetes, Open MPI or Cloud TPU here; "
            "give --coordinator HOST:PORT, --process and --processes"
        ) from None
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise ProcessError(f"the processes of the sweep did not meet: {reason}") from error


def is_first() -> bool:
    """Whether this is the process that writes and prints."""
    return jax.process_index() == 0


def meet() -> None:
    """Waits for the other processes of the sweep."""
    agreed(0)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While this runs, no other sweep writes into the folder.

    Raises:
        ValueError: another one does.
    """
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise ValueError(
            f"another sweep is writing into {folder}; choose another folder, or wait for it"
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_written(folder: Path) -> bool:
    """Whether a sweep of this machine is writing into the folder now, or nobody can tell."""
    try:
        with alone(folder):
            return False
    except (ValueError, OSError):
        return True


def mnist_folder(data_dir: Path | None) -> str | None:
    """Where MNIST is read from, also by a later process; None means downloaded."""
    folder = data_dir or os.environ.get("JAXDECAY_DATA")
    return str(Path(folder).absolute()) if folder else None


def load(data: str, data_dir: str | Path | None) -> jaxdecay.Data:
    """Data by name, or from a file."""
    if data == "mnist":
        return jaxdecay.mnist(data_dir)
    if data_dir is not None:
        raise ValueError(f"--data-dir is for --data mnist; {data} needs none")
    if data == "digits":
        return jaxdecay.digits()
    if data.endswith(".npz"):
        return jaxdecay.data_from_file(data)
    raise ValueError(
        f"unknown data {data!r}{nearest(data, ('digits', 'mnist'))}; "
        "use digits, mnist, or the name of a .npz file with your own"
    )


def optimizer_named(name: str) -> Any:
    """An optimizer of Optax by name, if it takes a schedule and needs nothing else."""
    import optax

    known = {}
    for each, value in vars(optax).items():
        if inspect.isfunction(value) and not each.startswith("scale_by_"):
            parameters = inspect.signature(value).parameters
            required = [name for name, one in parameters.items() if one.default is one.empty]
            if required == ["learning_rate"]:
                annotation = parameters["learning_rate"].annotation  # Optax: ScalarOrSchedule
                if any(get_origin(kind) is Callable for kind in get_args(annotation)):
                    known[each] = value
    if name not in known:
        raise ValueError(
            f"unknown optimizer {name!r}{nearest(name, known)}; "
            f"known are {', '.join(sorted(known))}"
        )
    return known[name]


def new_folder(data: str) -> Path:
    """A folder of runs/ that no other sweep has, not even one that is started right now."""
    Path("runs").mkdir(exist_ok=True)
    for number in itertools.count(1):
        folder = Path("runs", f"{Path(data).stem}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError("unreachable")
