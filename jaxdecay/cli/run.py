"""The settings of a sweep in its folder: `run.json`, from which it can be resumed."""

from __future__ import annotations

import dataclasses
import shlex
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, get_origin

import jaxdecay
from jaxdecay.cli.inputs import load_data, optimizer_named
from jaxdecay.cli.own_decays import import_decays
from jaxdecay.registry import families
from jaxdecay.results.files import (
    CHECKPOINTS,
    NOT_OF_ONE_SWEEP,
    RUN,
    are_complete,
    check_folder,
    write,
)
from jaxdecay.results.result import SweepResult
from jaxdecay.results.sealed import SEAL, DamagedError, read_sealed, sealed
from jaxdecay.schedule import Schedule
from jaxdecay.spelling import counted
from jaxdecay.training.about import ABOUT, stored_identity
from jaxdecay.training.checkpoint import digest
from jaxdecay.training.config import SweepConfig
from jaxdecay.training.fingerprint import of_own_decays
from jaxdecay.training.labels import with_class_numbers


@dataclasses.dataclass(frozen=True)
class Run:
    """The settings of a sweep of the command line.

    Attributes:
        data: "digits", "mnist" or the path of a file.
        data_dir: folder of the MNIST files, or None.
        data_sha256: the digest of the data, which must be the same when the sweep is resumed.
        decays: Python file of the user's own decays, or None.
        own_decays: by family, a fingerprint of each decay of the schedules that is not this
            library's; it must be the same when the sweep is resumed.
        schedules: as from `Schedule.to_dict`.
        confirms: folder of the sweep whose best schedules these are, best first, or None.
        steps: of each member in an epoch, for `jaxdecay watch`, which has no data.
        config: the options of the sweep.
        checkpoint_every: epochs from one checkpoint to the next.
        keep: how many checkpoints are stored.
    """

    data: str
    data_dir: str | None
    data_sha256: str
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
        """The settings in a folder. An option that is newer than they are has its default.

        Raises:
            ValueError: there are none.
            DamagedError: they are damaged or from another version, or were edited without
                removing the seal.
        """
        path = folder / RUN
        try:
            values = read_sealed(path)
        except (FileNotFoundError, NotADirectoryError):
            check_folder(folder)
            what = "was saved from Python" if are_complete(folder) else "holds no sweep"
            raise ValueError(
                f"'{folder}' {what}; this command needs a folder written by `jaxdecay sweep` "
                f"({RUN} is missing)"
            ) from None
        values.pop(SEAL, None)
        fields = dataclasses.fields(cls)
        needed = {each.name for each in fields if each.default is dataclasses.MISSING}
        known = {each.name for each in fields}
        if not needed <= set(values) <= known:
            raise DamagedError(
                f"{path} is damaged or from another version of jaxdecay; start a new sweep"
            )
        kinds = {**typing.get_type_hints(cls), "config": dict}
        for name, value in values.items():
            expected = get_origin(kinds[name]) or kinds[name]
            expected = kinds[name] if expected in (types.UnionType, typing.Union) else expected
            if not isinstance(value, expected):
                raise DamagedError(f"{path} is damaged: {name} is {value!r}")
        try:
            options = {**values["config"]}
            config = SweepConfig.from_dict(options, optimizer_named(options["optimizer"]))
        except KeyError:
            raise DamagedError(f"{path} is damaged: optimizer is missing") from None
        except (TypeError, ValueError) as error:
            raise DamagedError(f"{path} is damaged: {error}") from None
        return cls(**{**values, "config": config})

    def write(self, folder: Path) -> None:
        """Writes `run.json`."""
        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        values = {**fields, "config": self.config.to_dict()}
        write(folder / RUN, sealed(values))

    def parts(self) -> dict[str, Any]:
        """What the processes of one sweep must have in common, by name."""
        return {
            "data": self.data_sha256,
            "schedules": [repr(schedule) for schedule in self.population()],
            "code": self.own_decays,
            **self.config.to_dict(),
        }

    def import_decays(self, folder: Path, given: Path | None) -> None:
        """Runs the Python file of the user's own decays if it was given to this command.

        The file that the folder names is not run, as the folder may come from somebody else.

        Args:
            folder: that these settings are from.
            given: the file, or None.

        Raises:
            ValueError: the schedules need the file, and it was not given.
        """
        import_decays(given)
        unknown = [name for name in _families(self.schedules) if name not in families]
        if unknown and given is None and self.decays is not None:
            raise ValueError(
                f"the schedules in '{folder}' use the decay {unknown[0]!r} from the Python file "
                f"{self.decays!r}, which runs only if you pass it; if you trust the file, add "
                "--decays and its path"
            )

    def command(self, name: str, folder: Path) -> str:
        """A command on the folder of this sweep, as one types it.

        Example:
            `run.command("sweep --resume", folder)` is "jaxdecay sweep --resume runs/digits-1".
        """
        own = ["--decays", self.decays] if self.own_decays and self.decays is not None else []
        return shlex.join(["jaxdecay", *name.split(), str(folder), *own])

    def epochs_more(self, epochs: int) -> Self:
        """The same with more epochs; ValueError if they are fewer."""
        if epochs < self.config.epochs:
            raise ValueError(
                f"the sweep was started with {counted(self.config.epochs, 'epoch')}, got --epochs "
                f"{epochs}; "
                "a resumed sweep can only have more"
            )
        config = dataclasses.replace(self.config, epochs=epochs)
        return dataclasses.replace(self, config=config)

    def confirmed(self, folder: Path, best: Sequence[int], seeds: int) -> Self:
        """Its best schedules, by index, with the seeds that follow its own."""
        new_seeds = self.config.seed + self.config.seeds
        return dataclasses.replace(
            self,
            schedules=[self.schedules[index] for index in best],
            confirms=str(folder),
            config=dataclasses.replace(self.config, seed=new_seeds, seeds=seeds),
        )

    def with_decays(self, decays: Path | None) -> Self:
        """The same, with the file of its own decays where it is now; None leaves it."""
        return self if decays is None else dataclasses.replace(self, decays=str(decays.absolute()))

    def load(self) -> jaxdecay.Data:
        """Its data; ValueError if they have changed since it was started."""
        data = with_class_numbers(load_data(self.data, self.data_dir))
        if digest(data) != self.data_sha256:
            raise ValueError(
                f"the data ({self.data}) have changed since the sweep was started; restore them, "
                "or start a new sweep"
            )
        return data

    def result(self, folder: Path) -> SweepResult:
        """The result in a folder; ValueError if these are not its settings, or a decay changed."""
        result = SweepResult.load(folder)
        self._check_decays(result.population)
        settings = {**result.settings, "seeds": list(result.seeds)}
        mine = {**self.config.to_dict(), "seeds": list(self.config.all_seeds)}
        mine["data"] = Path(self.data).stem
        if self.config.block is None:
            del mine["block"]  # it was measured
        different = [name for name, value in mine.items() if settings.get(name) != value]
        if self.schedules != [each.to_dict() for each in result.population]:
            different.append("schedules")
        identity = stored_identity(folder / CHECKPOINTS / ABOUT)
        if identity is not None and identity.get("data") != self.data_sha256:
            different.append("the contents of the data")
        if different:
            fault = f"{RUN} differs from the others in {', '.join(different)}"
            raise ValueError(NOT_OF_ONE_SWEEP.format(folder=folder, fault=fault))
        return result

    def population(self) -> jaxdecay.Population:
        """Its schedules; ValueError if one of their decays has changed."""
        found = [Schedule.from_dict(each) for each in self.schedules]
        self._check_decays(found)
        return jaxdecay.stack(found)

    def _check_decays(self, schedules: Iterable[Schedule]) -> None:
        """ValueError if a decay of the user's own is not that of the sweep."""
        for family, each in of_own_decays(schedules).items():
            if each != self.own_decays.get(family):
                raise ValueError(
                    f"the decay {family} of {self.decays} has changed since the sweep was started; "
                    "undo the change, or start a new sweep in another folder"
                )


def _families(schedules: Any) -> Iterator[str]:
    """The names of the families in schedules from `Schedule.to_dict`, inner ones included."""
    if isinstance(schedules, dict):
        yield str(schedules.get("family"))
        schedules = list(schedules.values())
    if isinstance(schedules, list):
        for each in schedules:
            yield from _families(each)
