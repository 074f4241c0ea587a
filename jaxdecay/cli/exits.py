"""How the command line ends and what it logs: an exit code, and lines with the reason."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

import jax
import typer

from jaxdecay.cli.streams import drop_unwritten

EXTRAS = {"tensorboardX": "tensorboard", "mlflow": "mlflow"}
"""Packages that neither a sweep nor a report needs, and jaxdecay's extras that install them."""

LEAVING_SECONDS = 5
"""How long a process that failed waits for the others to end."""


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Wrong use ends with exit code 2, failure with 1; either with a reason in one line.

    If the reader of the output has gone, as in `jaxdecay list | head -1`, it ends silently.
    """
    try:
        yield
    except typer.Exit:
        raise
    except (ValueError, TypeError, FileNotFoundError, FileExistsError) as error:
        fail(error, code=1 if _is_damage(error) else 2)
    except BrokenPipeError:
        _end(1)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        remedy = f"; run: pip install 'jaxdecay[{extra}]'" if extra else ", which is not installed"
        fail(f"this needs {error.name}{remedy}", code=1)
    except MemoryError:
        fail("the memory of this machine is used up; give fewer schedules or seeds", code=1)
    except jax.errors.JaxRuntimeError as error:
        fail(f"JAX failed: {error}", code=1)
    except Exception as error:
        if isinstance(error, _failures()):
            fail(error, code=1)
        fault = None if jax.distributed.is_initialized() else _fault_of_devices()
        if fault is None:
            raise
        fail(fault, code=1)


def _fault_of_devices() -> str | None:
    from jaxdecay.training.devices import fault_of_devices

    return fault_of_devices()


def _is_damage(error: Exception) -> bool:
    """Whether a file is at fault, not the command."""
    from jaxdecay.results.sealed import DamagedError

    return isinstance(error, DamagedError)


def _failures() -> tuple[type[Exception], ...]:
    """Errors with a message for people; imported when one is raised, as that takes seconds."""
    from jaxdecay.data import DataError
    from jaxdecay.report.export import ExportError
    from jaxdecay.training.about import CheckpointError
    from jaxdecay.training.processes import ProcessError

    return DataError, CheckpointError, ProcessError, ExportError, OSError, ImportError


def fail(error: object, code: int) -> NoReturn:
    """Prints what went wrong in one line, and ends with the exit code."""
    complain(error)
    _end(code, error)


def complain(error: object) -> None:
    """Prints what went wrong in one line."""
    note(f"error: {(str(error).strip().splitlines() or ['unknown'])[0]}")


def note(line: str) -> None:
    """Prints a line on standard error, if that is still open."""
    with contextlib.suppress(OSError):
        typer.echo(line, err=True)


def _end(code: int, error: object = None) -> NoReturn:
    if jax.distributed.is_initialized():
        drop_unwritten()
        _leave(error)
        os._exit(code)
    raise typer.Exit(code)


def _leave(error: object) -> None:
    """Waits until the other processes, which fail as well, have ended: JAX aborts those left."""
    from jaxdecay.training.processes import ProcessGoneError

    if not isinstance(error, ProcessGoneError):
        leaving = threading.Thread(target=jax.distributed.shutdown, daemon=True)
        leaving.start()
        leaving.join(LEAVING_SECONDS)  # an orderly exit would wait for ever if they do not end


def log_in_lines() -> None:
    """Prints this library's log as notes; Orbax's log, which repeats its errors, is silenced.

    Matplotlib's, which warns of a home folder that cannot be written, is silenced as well.
    """
    for noisy in ("absl", "asyncio", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    sys.unraisablehook = _handle_unraisable
    notes = logging.StreamHandler()
    notes.setFormatter(logging.Formatter("note: %(message)s"))
    log = logging.getLogger("jaxdecay")
    log.addHandler(notes)
    log.propagate = False


def _handle_unraisable(left: sys.UnraisableHookArgs) -> None:
    """Handles an exception that Python could not raise where it happened.

    Ctrl-C within JAX's callback of the garbage collector is sent again a moment later. Tasks that
    Orbax leaves behind after an error, and whose loop is closed, are nobody's concern.
    """
    if isinstance(left.exc_value, KeyboardInterrupt):
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
    elif "Event loop is closed" not in str(left.exc_value):
        sys.__unraisablehook__(left)
