"""The types: pyright accepts right use and rejects wrong use, line by line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jaxdecay

FOLDER = Path(__file__).parent / "typing"
OURS = [
    name for name, family in jaxdecay.families.items() if family.__module__.startswith("jaxdecay.")
]


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
    assert len(expected) == 6 + len(OURS)
    assert pyright(FOLDER / "wrong.py") == expected


def test_every_family_is_called_with_a_second_argument_without_a_name():
    text = (FOLDER / "wrong.py").read_text()
    called = re.findall(r"^jaxdecay\.(\w+)\(\s*[^,=]+,\s+2[,)]", text, re.MULTILINE)
    assert called == OURS
