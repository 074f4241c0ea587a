"""The types: pyright accepts right use and rejects wrong use, line by line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jaxdecay
from jaxdecay.parameter import Parameter

FOLDER = Path(__file__).parent / "typing"


def pyright(path: Path) -> list[tuple[int, str]]:
    """Line and rule of the errors that pyright finds in a file, each once."""
    run = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", path],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(run.stdout)["generalDiagnostics"]
    return sorted({(each["range"]["start"]["line"] + 1, each.get("rule", "")) for each in found})


def test_right_use_is_accepted():
    assert pyright(FOLDER / "right.py") == []


def test_wrong_use_is_rejected():
    lines = enumerate((FOLDER / "wrong.py").read_text().splitlines(), start=1)
    expected = [(number, line.split("# ")[1]) for number, line in lines if "  # " in line]
    assert len(expected) == 6
    assert pyright(FOLDER / "wrong.py") == expected


def value_of(parameter: Parameter) -> str:
    """A value that the parameter takes, as Python."""
    one = "10" if parameter.domain.count else "0.1"
    return f"[{one}]" if parameter.domain.rank or parameter.kind == "schedules" else one


def test_a_second_argument_without_a_name_is_rejected_in_every_family(tmp_path):
    ours = (each for each in jaxdecay.families.values() if each.__module__.startswith("jaxdecay."))
    lines = ["import jaxdecay", ""]
    for family in ours:
        first, *others = family.decay.parameters.values()
        named = [f"{each.name}={value_of(each)}" for each in others if each.required]
        right = f"jaxdecay.{family.__name__}({', '.join([value_of(first), *named])})"
        lines += [right, right.replace(value_of(first), f"{value_of(first)}, 2", 1)]
    path = tmp_path / "second.py"
    path.write_text("\n".join(lines))
    wrong = [(number, "reportCallIssue") for number in range(4, len(lines) + 1, 2)]
    assert pyright(path) == wrong
