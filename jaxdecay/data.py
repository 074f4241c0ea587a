"""Data for tasks: MNIST, scikit-learn's digits, and your own files."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import importlib
import importlib.util
import numbers
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxdecay.arrays import as_inputs, as_labels


class DataError(Exception):
    """A data file is damaged or cannot be downloaded; one line says which and why."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """A data set: inputs and labels to train on, and others to test on.

    It is a pytree. Pass it to compiled functions as an argument: if they close over it, it is
    compiled into the program.

    NumPy arrays, and frames and series from pandas and Polars, become arrays with types that JAX
    has: 64-bit numbers become 32-bit (unless JAX's 64-bit mode is on), and big-endian numbers take
    this machine's byte order. Bytes stay bytes.

    Attributes:
        train_inputs: array [n, ...]; images stay `uint8`, four times smaller than floats.
        train_labels: array [n, ...]; for `classifier`, integers [n] from 0.
        test_inputs: array [m, ...].
        test_labels: array [m, ...].
        scale: inputs are divided by it when they are used: 255 for images of bytes (static).
        name: the name in reports (static).

    Raises:
        ValueError: inputs or labels are not numbers, do not fit into JAX's types, or are sparse
            matrices or dictionaries.
    """

    train_inputs: ArrayLike
    train_labels: ArrayLike
    test_inputs: ArrayLike
    test_labels: ArrayLike
    scale: float = dataclasses.field(default=1.0, metadata={"static": True})
    name: str = dataclasses.field(default="data", metadata={"static": True})

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            for kind, convert in (("inputs", as_inputs), ("labels", as_labels)):
                name = f"{part}_{kind}"
                value = convert(getattr(self, name), f"{self.name}: {name}")
                object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        shapes = f"train {np.shape(self.train_inputs)}, test {np.shape(self.test_inputs)}"
        return f"<Data {self.name}: {shapes}>"


def check_data(data: Data) -> None:
    """Raises a ValueError if inputs and labels do not match or are empty, or the scale is none."""
    _check_scale(data)
    shapes = {}
    for part in ("train", "test"):
        arrays = getattr(data, f"{part}_inputs"), getattr(data, f"{part}_labels")
        if not all(hasattr(array, "shape") for array in arrays):
            raise ValueError(
                f"{data.name}: {part}_inputs and {part}_labels must be arrays (use np.asarray)"
            )
        inputs, labels = map(np.shape, arrays)
        if not inputs or not labels or inputs[0] != labels[0] or not inputs[0]:
            raise ValueError(
                f"{data.name}: {part}_inputs and {part}_labels must have one row for each of the "
                f"same examples, at least one, got shapes {inputs} and {labels}"
            )
        if 0 in inputs:
            raise ValueError(
                f"{data.name}: {part}_inputs must have at least one number in each example, "
                f"got shape {inputs}"
            )
        shapes[part] = inputs[1:], labels[1:]
    if shapes["train"] != shapes["test"]:
        raise ValueError(
            f"{data.name}: examples to train and to test on must have the same shapes, "
            f"got {shapes['train']} and {shapes['test']} for inputs and labels"
        )


def _check_scale(data: Data) -> None:
    """ValueError for a scale by which JAX's floats cannot be divided."""
    kind = jnp.result_type(float)
    limits = jnp.finfo(kind)
    least, most = float(limits.tiny), float(limits.max)
    if not isinstance(data.scale, numbers.Real) or not least <= data.scale <= most:
        raise ValueError(
            f"{data.name}: scale must be a number from {least:.2g} to {most:.2g}, as inputs are "
            f"{kind}, got {data.scale!r}; inputs are divided by it: give 255 for images of bytes, "
            "1 for inputs that are scaled already"
        )


def not_finite(data: Data) -> list[str]:
    """The names of the arrays in which a number is NaN or infinite, inputs divided by the scale."""
    names = [f"{part}_{kind}" for part in ("train", "test") for kind in ("inputs", "labels")]
    return [name for name in names if not _is_finite(data, name)]


def _is_finite(data: Data, name: str) -> bool:
    array, scale = getattr(data, name), data.scale if name.endswith("inputs") else 1.0
    can_be_infinite = jnp.issubdtype(array.dtype, jnp.floating) or scale < 1
    if isinstance(array, Tracer) or not can_be_infinite:
        return True
    array = np.asarray(array)
    ends = np.array([float(array.min()), float(array.max())])  # NaN if any number is
    with np.errstate(over="ignore"):
        return bool(np.isfinite((ends / scale).astype(jnp.result_type(float))).all())


@dataclasses.dataclass(frozen=True)
class _File:
    name: str
    size: int
    sha256: str


_FILES = (
    _File(
        "train-images-idx3-ubyte.gz",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    _File(
        "train-labels-idx1-ubyte.gz",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    _File(
        "t10k-images-idx3-ubyte.gz",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    _File(
        "t10k-labels-idx1-ubyte.gz",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)

FAULTS = (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What is raised by a file that is damaged, or of which somebody has tampered with the headers."""

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
"""Where MNIST is downloaded from, tried in this order."""


def mnist(data_dir: str | os.PathLike[str] | None = None) -> Data:
    """MNIST: 60,000 + 10,000 images of handwritten digits, 28 × 28 bytes, 10 classes.

    Args:
        data_dir: the folder with the four `.gz` files. If None, the folder in the environment
            variable `JAXDECAY_DATA`; if that is not set, the download cache, which is
            filled if it is empty (11 MB; needs the extra `jaxdecay[sweep]`).

    Returns:
        `Data` with `uint8` images of shape [n, 28, 28].

    Raises:
        FileNotFoundError: a file is not in the given folder.
        DataError: a file is damaged, or cannot be downloaded.

    Example:
        >>> import jaxdecay
        >>> jaxdecay.mnist()  # doctest: +SKIP
        <Data mnist: train (60000, 28, 28), test (10000, 28, 28)>

    Source:
        LeCun, Cortes and Burges; CC BY-SA 3.0.
    """
    folder = data_dir or os.environ.get("JAXDECAY_DATA")
    paths = [_in_folder(Path(folder), file) if folder else _download(file) for file in _FILES]
    arrays = [_read_idx(path) for path in paths]
    return Data(*arrays, scale=255.0, name="mnist")


def digits() -> Data:
    """Handwritten digits, 8 × 8 pixels with values 0 … 16, 10 classes; needs no download.

    Every fifth of scikit-learn's 1,797 images is in the test set.

    Returns:
        `Data` with `uint8` images of shape [n, 8, 8].

    Example:
        >>> import jaxdecay
        >>> jaxdecay.digits()
        <Data digits: train (1437, 8, 8), test (360, 8, 8)>

    Source:
        Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI; CC BY 4.0.
    """
    # Reads the file of `sklearn.datasets.load_digits`, whose import would take a second.
    sklearn = importlib.util.find_spec("sklearn")
    if sklearn is None or sklearn.origin is None:
        raise ImportError("digits() needs scikit-learn: pip install 'jaxdecay[sweep]'")
    table = np.loadtxt(
        Path(sklearn.origin).parent / "datasets" / "data" / "digits.csv.gz",
        delimiter=",",
        dtype=np.uint8,
    )
    images, labels = table[:, :-1].reshape(-1, 8, 8), table[:, -1]
    test = np.arange(len(labels)) % 5 == 0
    return Data(images[~test], labels[~test], images[test], labels[test], scale=16.0, name="digits")


def data_from_file(path: str | os.PathLike[str]) -> Data:
    """Your own data, from a file written by `numpy.savez`.

    Args:
        path: a file with the arrays `train_inputs`, `train_labels`, `test_inputs` and
            `test_labels`, as for `Data`, and the number `scale` if it is not 1.

    Returns:
        `Data` with the name of the file.

    Raises:
        FileNotFoundError: the file does not exist.
        DataError: the file is damaged, an array is missing, or memory is too small for them.

    Example:
        >>> import tempfile, numpy as np, jaxdecay
        >>> inputs, labels = np.eye(6), np.array([0, 1, 0, 1, 0, 1])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     parts = {"train_inputs": inputs[:4], "train_labels": labels[:4]}
        ...     parts |= {"test_inputs": inputs[4:], "test_labels": labels[4:]}
        ...     np.savez(f"{folder}/mine.npz", **parts)
        ...     jaxdecay.data_from_file(f"{folder}/mine.npz")
        <Data mine: train (4, 6), test (2, 6)>
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"data file {path} does not exist")
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is not an archive of arrays")
        _check_size(path)
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
    except FAULTS as error:
        reason = str(error).strip().splitlines()[0]
        if "allow_pickle" in reason:
            reason = (
                "it contains an array of Python objects; convert it with .astype and save again"
            )
        raise DataError(
            f"{path} was not written by numpy.savez, or is damaged: {reason}"
        ) from error
    names = [f"{part}_{kind}" for part in ("train", "test") for kind in ("inputs", "labels")]
    missing = [name for name in names if name not in arrays]
    if missing:
        raise DataError(
            f"{path} has no {missing[0]}; it must contain {', '.join(names)}, "
            f"it contains {', '.join(arrays) or 'nothing'}"
        )
    scale = arrays.get("scale", np.ones(()))
    if scale.shape or scale.dtype.kind not in "iuf" or not 0 < scale < np.inf:
        raise DataError(f"{path}: scale must be a number > 0, got {scale}")
    return Data(*(arrays[name] for name in names), scale=float(scale), name=path.stem)


def _check_size(path: Path) -> None:
    """DataError for an archive whose arrays do not fit into memory; its directory is read only."""
    with zipfile.ZipFile(path) as archive:
        needed = sum(member.file_size for member in archive.infolist())
    memory = _of_extra("jaxdecay.memory")
    free = memory.free_memory()
    if needed > free:
        raise DataError(
            f"{path} contains {memory.size(needed)} of arrays, but {memory.size(free)} of memory "
            "are free; use fewer examples, or a type with fewer bytes"
        )


def _of_extra(name: str) -> Any:
    """Imports a module from the packages of the extra `sweep`."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ImportError(f"this needs {error.name}: pip install 'jaxdecay[sweep]'") from error


def _in_folder(folder: Path, file: _File) -> Path:
    path = folder / file.name
    if not path.is_file():
        names = ", ".join(wanted.name for wanted in _FILES)
        raise FileNotFoundError(f"{path} is missing; the data folder must contain {names}")
    return _verified(path, file)


def _verified(path: Path, file: _File) -> Path:
    contents = path.read_bytes()
    if len(contents) != file.size:
        raise DataError(
            f"{path} is {len(contents)} bytes long, expected {file.size}; copy or download it again"
        )
    sha256 = hashlib.sha256(contents).hexdigest()
    if sha256 != file.sha256:
        raise DataError(
            f"{path} is damaged: its SHA-256 is {sha256}, expected {file.sha256}; "
            "copy or download it again"
        )
    return path


def _download(file: _File) -> Path:
    pooch, requests = _of_extra("pooch"), _of_extra("requests")
    cache = pooch.os_cache("jaxdecay") / "mnist"
    faults = []
    for mirror in MIRRORS:
        try:
            path = pooch.retrieve(
                mirror + file.name,
                known_hash=f"sha256:{file.sha256}",
                fname=file.name,
                path=cache,
                progressbar=True,
            )
            return Path(path)
        except (requests.RequestException, ValueError, OSError) as error:
            faults.append(f"{mirror}: {type(error).__name__}")
    raise DataError(
        f"could not download {file.name} ({'; '.join(faults)}); without a network, use the digits "
        "data, or give the folder with the MNIST files by --data-dir or JAXDECAY_DATA"
    )


def _read_idx(path: Path) -> np.ndarray:
    """An array of bytes in the IDX format: two zeros, type, rank, sizes, then the data."""
    contents = gzip.decompress(path.read_bytes())
    rank = contents[3]
    shape = struct.unpack_from(f">{rank}I", contents, 4)
    return np.frombuffer(contents, np.uint8, offset=4 + 4 * rank).reshape(shape)
