"""Data and optimizers by name."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_origin

import jaxdecay
from jaxdecay.spelling import nearest


def mnist_folder(data_dir: Path | None) -> str | None:
    """Where MNIST is read from, also by a later process; None means downloaded."""
    folder = data_dir or os.environ.get("JAXDECAY_DATA")
    return str(Path(folder).absolute()) if folder else None


def is_file(data: str) -> bool:
    """Whether data are the name of a file, and not of a data set that is built in."""
    return data.lower().endswith(".npz")


def load_data(data: str, data_dir: str | Path | None) -> jaxdecay.Data:
    """Data by name, or from a file."""
    if data == "mnist":
        return jaxdecay.mnist(data_dir)
    if data_dir is not None:
        raise ValueError(f"--data-dir is for --data mnist; leave it out for {data}")
    if data == "digits":
        return jaxdecay.digits()
    if is_file(data):
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
