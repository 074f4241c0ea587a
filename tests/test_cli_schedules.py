"""`jaxdecay list` and `show`, and schedules files."""

from __future__ import annotations

import json

import matplotlib.image
import pytest
from commands import TWO, error_of, in_this_process

import jaxdecay
from jaxdecay.groups import Group
from jaxdecay.schedules_file import read_schedules

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[schedule]\n", "schedules.toml is not TOML.*line 1"),
        ("\n\nfamily = \n", "schedules.toml is not TOML.*line 3"),
        ("schedule = []", r"schedules.toml contains no \[\[schedule\]\] tables"),
        (
            '[[schedule]]\nfamily = "warmup"\nwarmup_steps = 5\nschedule = [[1, 2]]',
            "line 1, schedule 1: warmup: schedule must be a jaxdecay schedule",
        ),
        (
            '[[schedule]]\nfamily = "warmup"\nwarmup_steps = 5\nschedule = -0.1',
            "line 1, schedule 1: warmup: schedule must be a jaxdecay schedule or a number ≥ 0",
        ),
        ("", r"contains no \[\[schedule\]\] tables"),
        ("schedule = 3", r"contains no \[\[schedule\]\] tables"),
        ("lr = 3", r"only \[\[schedule\]\] tables, got 'lr'"),
        ("[[schedule]]\nvalue = 1", "line 1, schedule 1: a schedule needs a family"),
        ("[[schedule]]\nfamily = 3", "line 1, schedule 1: a schedule needs a family"),
        (TWO + '[[schedule]]\nfamily = "cosin"', "line 10, schedule 3: .*did you mean 'cosine'"),
        (
            '[[schedule]]\nfamily = "constant"\nvalu = 1',
            "line 1, schedule 1: constant has no hyperparameter 'valu'.*did you mean 'value'",
        ),
        ('[[schedule]]\nfamily = "constant"', "missing a required argument: 'value'"),
        ('[[schedule]]\nfamily = "constant"\nvalue = -1', "constant: value must be a number ≥ 0"),
        ('[[schedule]]\nfamily = "constant"\nvalue = []', "grid of constant: value has no values"),
        ('[[schedule]]\nfamily = "constant"\nvalue = "a"', "constant: value must be a number"),
    ],
)
def test_wrong_schedules_files(tmp_path, text, message):
    path = tmp_path / "schedules.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as raised:
        read_schedules(path)
    assert "\n" not in str(raised.value)


def test_a_schedules_file_of_every_kind(tmp_path):
    path = tmp_path / "schedules.toml"
    path.write_text(
        """
        [[schedule]]
        family = "warmup"
        warmup_steps = [5, 10]
        schedule = { family = "cosine", init_value = [0.1, 0.3], transition_steps = 90 }
        [[schedule]]
        family = "piecewise_constant"
        values = [[0.3, 0.1], [0.2, 0.1]]
        boundaries = [50]
        [[schedule]]
        family = "join"
        schedules = [1, { family = "linear", init_value = 1, end_value = 0, transition_steps = 9 }]
        lengths = [10, 9]
        [[schedule]]
        family = "exponential"
        init_value = 0.1
        decay_rate = 0.5
        staircase = [false, true]
        """
    )
    cosines = [jaxdecay.cosine(rate, transition_steps=90) for rate in (0.1, 0.3)]
    assert list(read_schedules(path)) == [
        *(jaxdecay.warmup(cosine, warmup_steps=steps) for steps in (5, 10) for cosine in cosines),
        jaxdecay.piecewise_constant([0.3, 0.1], boundaries=[50]),
        jaxdecay.piecewise_constant([0.2, 0.1], boundaries=[50]),
        jaxdecay.join([1, jaxdecay.linear(1, end_value=0, transition_steps=9)], lengths=[10, 9]),
        jaxdecay.exponential(0.1, decay_rate=0.5),
        jaxdecay.exponential(0.1, decay_rate=0.5, staircase=True),
    ]


def test_list_names_every_family_with_its_formula(tmp_path):
    run = in_this_process("list", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    text = " ".join(run.stdout.split())
    assert all(name in run.stdout for name in jaxdecay.families)
    assert (
        "step_decay Multiplied by `decay_rate` every `transition_steps` steps. I·r^⌊t/T⌋." in text
    )
    assert "init_value > 0, decay_rate ≥ 0, transition_steps > 0 and ≤ 2³¹−1 [1]" in text


def test_list_is_in_groups(tmp_path):
    lines = in_this_process("list", cwd=tmp_path).stdout.splitlines()
    places = [lines.index(group) for group in Group if group is not Group.OWN]
    assert places == sorted(places)
    assert places[2] < next(i for i, line in enumerate(lines) if line.startswith("inverse_time "))
    assert places[3] < next(i for i, line in enumerate(lines) if line.startswith("cyclic "))


def test_show_draws_every_schedule_of_a_file(tmp_path):
    (tmp_path / "two.toml").write_text(TWO)
    run = in_this_process("show", "two.toml", "--steps", 50, "--plot", "two.png", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    for schedule in read_schedules(tmp_path / "two.toml"):
        assert repr(schedule) in run.stdout
    assert matplotlib.image.imread(tmp_path / "two.png").std() > 0


def test_show_notes_what_is_wrong_with_a_schedule(tmp_path):
    run = in_this_process(
        *("show", "warmup", "schedule=0.1", "warmup_steps=500", "--steps", 100), cwd=tmp_path
    )
    assert run.returncode == 0, run.stderr
    assert "  note: " in run.stdout


def test_show_draws_and_prints_values(tmp_path):
    run = in_this_process(
        *("show", "inverse_time", "init_value=0.1", "decay_rate=0.5", "--steps", 1000),
        *("--plot", "curve.png"),
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    values = {}
    for line in run.stdout.splitlines():
        words = line.replace(",", "").split()
        if len(words) == 2 and words[0].isdigit() and not line.startswith(("│", " 0  ")):
            values[int(words[0])] = float(words[1])
    for step in range(0, 1001, 100):
        assert values[step] == pytest.approx(0.1 / (1 + 0.5 * step), rel=1e-6)
    assert "│" in run.stdout
    assert matplotlib.image.imread(tmp_path / "curve.png").std() > 0


def test_show_takes_options_and_nested_schedules(tmp_path):
    inner = json.dumps({"family": "linear", "init_value": 1, "end_value": 0, "transition_steps": 9})
    run = in_this_process(
        *("show", "warmup", f"schedule={inner}", "warmup_steps=1", "first_step=one_over_w"),
        *("--steps", "10"),
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    assert "first_step='one_over_w'" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("inverse_tim",), "unknown family 'inverse_tim' (did you mean 'inverse_time'?)"),
        (("constant",), "missing a required argument: 'value'"),
        (("nowhere.toml",), "schedules file nowhere.toml does not exist"),
        (
            ("few.toml", "value=1"),
            "few.toml contains the hyperparameters already; leave out 'value=1'",
        ),
        (("constant", "value=1", "--decays", "no.py"), "Python file 'no.py' does not exist"),
        (("constant", "0.1"), "'0.1' is not of the form name=value"),
        (("constant", "value=-1"), "constant: value must be a number ≥ 0, got -1"),
        (("constant", "value=abc"), "constant: value must be a number ≥ 0, got 'abc'"),
        (("constant", "value=0.1", "--steps", "0"), "--steps"),
        (("constant", "value=0.1", "--plot", "curve.xyz"), "ends in .png, .pdf or .svg"),
        (("constant", "value=1e39"), "constant: value must be a number ≥ 0, got 1e+39"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_of_show(tmp_path, arguments, message):
    assert message in error_of(in_this_process("show", *arguments, cwd=tmp_path), code=2)
