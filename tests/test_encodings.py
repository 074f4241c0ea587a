"""Output in encodings that lack characters, and output that nobody reads."""

from __future__ import annotations

import ast
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from commands import in_this_process

import jaxdecay
from jaxdecay.cli import streams

pytestmark = pytest.mark.usefixtures("relaxed_promotion")

SCHEDULES = """
# Mit Umlauten: äöü, und ≈.
[[schedule]]
family = "constant"
value = [0.1, 1e20]

[[schedule]]
family = "inverse_time"
init_value = [0.1, 0.3]
decay_rate = 0.01
"""
FOLDER = "größe"

C_LOCALE = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""}
STRICT = {"PYTHONIOENCODING": "ascii:strict"}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "jaxdecay", *map(str, arguments)]


def finished(
    *arguments: object, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env={**os.environ, "COLUMNS": "100", **environment},
        capture_output=True,
        timeout=300,
        check=False,
    )


def assert_fine(done: subprocess.CompletedProcess[bytes], code: int = 0) -> None:
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"codec" not in done.stderr


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    """A folder in which a sweep has ended, in a terminal that has only ASCII."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "few.toml").write_text(SCHEDULES, encoding="utf-8")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(
            *("sweep", "--schedules", "few.toml", "--epochs", 1, "--seeds", 2),
            *("--batch-size", 359, "--out", "out"),
        ),
        cwd=folder,
        env={**os.environ, "COLUMNS": "100", "TERM": "xterm", **STRICT},
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
    )
    os.close(theirs)
    output = b""
    try:
        while part := os.read(ours, 4096):
            output += part
    except OSError:  # as Linux says that the other end is closed
        os.close(ours)
    assert process.wait(300) == 0, output
    text = output.decode("ascii")
    assert "4 schedules x 2 seeds = 8 members" in text
    assert "mean +- standard deviation over 2 seeds" in text
    assert "epoch 1/1, best accuracy 0." in text
    return folder


COMMANDS = {
    "list": ("list",),
    "list of one": ("list", "k_decay"),
    "show": ("show", "few.toml"),
    "confirm": ("confirm", "out", "--best", 2, "--seeds", 2),
    "watch": ("watch", "out"),
    "json": ("watch", "out", "--json"),
    "report": ("report", "out"),
    "plot": ("plot", "out", "--out", "plots"),
    "export": ("export", "out", "--tensorboard", "logs"),
    "help": ("sweep", "--help"),
}


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning:uniplot")
@pytest.mark.parametrize(
    "name",
    [
        each if each in ("list", "report") else pytest.param(each, marks=pytest.mark.slow)
        for each in COMMANDS
    ],
)
def test_every_command_prints_in_ascii(swept, name):
    done = in_this_process(*COMMANDS[name], cwd=swept, encoding="ascii")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "\\u" not in done.stderr
    if name == "watch":  # a table fits what its characters become
        table = [line for line in done.stdout.splitlines() if line[:1] in "+|"]
        assert len(table) > 6
        assert len({len(line) for line in table}) == 1
        assert "+- 0." in done.stdout


@pytest.mark.parametrize("name", [pytest.param("list", marks=pytest.mark.slow), "help"])
def test_a_process_prints_in_ascii(tmp_path, name):
    done = finished(*COMMANDS[name], cwd=tmp_path, **STRICT)
    assert_fine(done)
    assert done.stdout.decode("ascii")
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("cp1252", "·(½(1 + cos pi p))"), ("cp437", "·(½(1 + cos πp))")],
)
def test_an_encoding_keeps_the_characters_that_it_has(tmp_path, encoding, expected):
    done = in_this_process("list", cwd=tmp_path, encoding=encoding)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_errors_are_readable(tmp_path):
    done = in_this_process("show", "≥", cwd=tmp_path, encoding="ascii")
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown family '>='")


@pytest.mark.slow
def test_a_report_in_a_c_locale_without_utf_8(swept):
    done = finished("report", "out", cwd=swept, **C_LOCALE)
    assert_fine(done)
    assert "№" in (swept / "out" / "report.html").read_text(encoding="utf-8")


def test_names_of_files_keep_their_bytes_in_a_c_locale_without_utf_8(tmp_path):
    (tmp_path / "few.toml").write_text(SCHEDULES, encoding="utf-8")
    done = finished("show", "few.toml", "--plot", f"{FOLDER}.png", cwd=tmp_path, **C_LOCALE)
    assert_fine(done)
    assert f"Written to {FOLDER}.png".encode() in done.stdout
    assert (tmp_path / f"{FOLDER}.png").exists()


@pytest.mark.slow
def test_a_folder_that_is_no_text_in_a_c_locale_is_refused(tmp_path):
    done = finished("sweep", "--out", FOLDER, cwd=tmp_path, **C_LOCALE)
    assert_fine(done, code=2)
    assert f"{FOLDER}/checkpoints is not text in this locale".encode() in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        pytest.param(("watch", "out"), marks=pytest.mark.slow),
        pytest.param(("watch", "out", "--json"), marks=pytest.mark.slow),
        pytest.param(("--help",), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_a_reader_that_has_enough_ends_it_without_a_word(request, tmp_path, arguments):
    """As `jaxdecay list | head -1` does."""
    folder = request.getfixturevalue("swept") if arguments[0] == "watch" else tmp_path
    process = subprocess.Popen(
        command(*arguments), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(300) == 1
    assert said == b""


def test_a_full_disk_is_one_line(tmp_path):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            command("list"), cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"error: [Errno 28] No space left on device\n"


@pytest.mark.slow
def test_no_file_depends_on_the_locale(swept):
    """Python itself warns where a file is opened in the locale's encoding."""
    words = [sys.executable, "-X", "warn_default_encoding", "-W", "always", "-m", "jaxdecay"]
    done = subprocess.run(
        [*words, "sweep", "--resume", "out", "--epochs", "2"],
        cwd=swept,
        capture_output=True,
        text=True,
        check=True,
    )
    package = str(Path(jaxdecay.__file__).parent)
    assert [line for line in done.stderr.splitlines() if package in line] == []


def opened_without_encoding(text: str) -> list[int]:
    """Lines that open a text file and do not say in which encoding."""
    lines = []
    for call in ast.walk(ast.parse(text)):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        module = getattr(getattr(call.func, "value", None), "id", "")
        is_text = module not in ("os", "tensorstore")
        modes = [each.value for each in call.args if isinstance(each, ast.Constant)]
        binary = any(isinstance(mode, str) and "b" in mode for mode in modes)
        named = any(each.arg == "encoding" for each in call.keywords)
        if name in ("open", "read_text", "write_text") and is_text and not (binary or named):
            lines.append(call.lineno)
    return lines


PACKAGE = Path(jaxdecay.__file__).parent


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_every_text_file_is_utf_8(path):
    assert opened_without_encoding(path.read_text(encoding="utf-8")) == []


def test_the_check_of_files_can_fail():
    assert opened_without_encoding("open(path)\npath.open()\npath.read_text()") == [1, 2, 3]
    assert opened_without_encoding("open(path, 'rb')\nopen(path, encoding='utf-8')") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2³¹−1, 10⁻⁴, xᵖ", "2^31-1, 10^-4, x^p"),
        ("cos πp, 2π, Lα, √t, √(β₁)", "cos pi p, 2pi, L alpha, sqrt t, sqrt(beta 1)"),
        ("a ≈ b ≥ c ≤ d × e ± f · g", "a ~ b >= c <= d x e +- f * g"),
        ("⌊t/T⌋ → ∞ … “½”", 'floor(t/T) -> inf ... "0.5"'),
        ("Käse, №, 日本", "Kase, No, ??"),
    ],
)
def test_what_becomes_of_characters(text, expected):
    assert text.encode("ascii", "readable").decode() == expected
    assert streams.readable(text) == text  # here, where nothing lacks
