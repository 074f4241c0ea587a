"""Errors of the command line: one line and an exit code."""

from __future__ import annotations

import sys

import jax
import pytest
import typer

from jaxdecay.cli.exits import one_line_errors


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (MemoryError(), 1, "the memory of this machine is used up; give fewer schedules or seeds"),
        (jax.errors.JaxRuntimeError("no room\nat all"), 1, "JAX failed: no room"),
        (ImportError("no such symbol"), 1, "no such symbol"),
        (ValueError("wrong\nuse"), 2, "wrong"),
        (TypeError(), 2, "unknown"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_is_one_line_and_an_exit_code(capsys, error, code, line):
    with pytest.raises(typer.Exit) as ended, one_line_errors():
        raise error
    assert ended.value.exit_code == code
    assert capsys.readouterr().err == f"error: {line}\n"


def test_nothing_is_printed_for_a_reader_that_has_gone(capsys):
    with pytest.raises(typer.Exit) as ended, one_line_errors():
        raise BrokenPipeError(32, "Broken pipe")
    assert ended.value.exit_code == 1
    assert capsys.readouterr() == ("", "")


def test_an_error_that_is_a_mistake_of_ours_is_not_hidden():
    with pytest.raises(ZeroDivisionError), one_line_errors():
        _ = 1 / 0


def test_an_exit_needs_no_module_that_may_be_broken(monkeypatch):
    monkeypatch.setitem(sys.modules, "jaxdecay.report.export", None)
    with pytest.raises(typer.Exit) as ended, one_line_errors():
        raise typer.Exit(3)
    assert ended.value.exit_code == 3


def test_a_line_for_a_closed_standard_error_is_no_error(monkeypatch):
    def closed(*_, **__):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(typer, "echo", closed)
    with pytest.raises(typer.Exit) as ended, one_line_errors():
        raise ValueError("wrong")
    assert ended.value.exit_code == 2
