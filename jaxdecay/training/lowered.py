"""Functions that one process lowers for all: later processes read what it has lowered.

JAX finds a compiled program by its lowered form, so each process would have to trace the function
and to lower it before the program can be loaded. For the rates of many families that takes far
longer than to load it. `jax.export` writes the lowered form, here into the folder in which JAX
stores compiled programs, under the digest of everything that decides what is lowered.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.export
import psutil

from jaxdecay.results.files import write
from jaxdecay.results.provenance import versions

PACKAGE = Path(__file__).parents[1]
NAME = "jaxdecay-{}.lowered"
STORED = 100
"""The oldest are removed when there are more; one takes about as many kB."""

DIGEST = hashlib.sha256().digest_size


class Lowered:
    """A function of arrays, compiled at its first call.

    If JAX stores compiled programs, the function is traced only if no process has done so before.

    Args:
        function: decided by this library alone: it calls nothing that others have written. All
            calls pass arguments of the same structure, shapes and types.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxdecay.decays.transition import linear_weights
        >>> from jaxdecay.training.lowered import Lowered
        >>> weights = Lowered(linear_weights)
        >>> [weight.tolist() for weight in weights(jnp.zeros(2), jnp.ones(2))]
        [[0.0, 0.0], [1.0, 1.0]]
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        """The value of the function."""
        leaves, structure = jax.tree.flatten(arguments)
        if self._compiled is None:
            self._compiled = self._prepared(leaves, structure)
        return self._compiled(*leaves)

    def _prepared(self, leaves: Sequence[Any], structure: Any) -> Callable[..., Any]:
        def run(*leaves: Any) -> Any:
            return self._function(*structure.unflatten(leaves))

        # A function that is exported is lowered for the default devices, whatever the context.
        if (
            jax.config.values["jax_default_device"] is not None
            or jax.config.values["jax_disable_jit"]
        ):
            return jax.jit(run)
        path = self._path(leaves, structure)
        exported = None if path is None else _read(path)
        if exported is None:
            exported = jax.export.export(jax.jit(run))(*leaves)
            if path is not None:
                _write(path, exported)
        # Also a process that reads or stores nothing compiles the exported form: the program is
        # then the same in all of them, and so is every bit of its results.
        return jax.jit(exported.call)

    def _path(self, leaves: Sequence[Any], structure: Any) -> Path | None:
        """The file for the lowered function; None if it can be neither read nor stored."""
        folder, source = _folder(), _digest_of_source()
        if folder is None or source is None:
            return None
        contents = (
            f"{self._function.__module__}.{self._function.__qualname__}",
            [repr(jax.typeof(leaf)) for leaf in leaves],
            repr(structure),
            jax.default_backend(),
            sorted(jax.config.values.items()),
            versions(),
            source,
        )
        return folder / NAME.format(hashlib.sha256(repr(contents).encode()).hexdigest())


def _folder() -> Path | None:
    """The folder in which JAX stores compiled programs, if it is one of this machine."""
    values = jax.config.values
    folder = values["jax_compilation_cache_dir"]
    if not folder or "://" in folder or not values["jax_enable_compilation_cache"]:
        return None
    return Path(folder)


def _digest_of_source() -> str | None:
    """The digest of the library's files; None if they may not be what this process has loaded."""
    files = sorted(PACKAGE.rglob("*.py"))
    times = [time for file in files for time in (file.stat().st_mtime, file.stat().st_ctime)]
    if not files or max(times) > psutil.Process().create_time():
        return None
    sha256 = hashlib.sha256()
    for file in files:
        contents = file.read_bytes()
        sha256.update(f"{file.relative_to(PACKAGE).as_posix()} {len(contents)}\n".encode())
        sha256.update(contents)
    return sha256.hexdigest()


def _read(path: Path) -> jax.export.Exported | None:
    """A lowered function; None if no complete one is stored."""
    with contextlib.suppress(OSError):
        stored = path.read_bytes()
        digest, contents = stored[:DIGEST], stored[DIGEST:]
        if hashlib.sha256(contents).digest() == digest:
            return jax.export.deserialize(bytearray(contents))
    return None


def _write(path: Path, exported: jax.export.Exported) -> None:
    """Stores a lowered function; if the folder cannot be written, each process lowers it."""
    contents = bytes(exported.serialize())
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, hashlib.sha256(contents).digest() + contents)
        stored = sorted(
            path.parent.glob(NAME.format("*")), key=lambda path: path.stat().st_mtime_ns
        )
        for oldest in stored[:-STORED]:
            oldest.unlink(missing_ok=True)
