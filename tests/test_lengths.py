"""Lengths relative to the run: exact when resolved, in Python, in files and in sweeps."""

from __future__ import annotations

import fractions
import re
from pathlib import Path
from typing import Any

import numpy as np
import optax
import pytest

import jaxdecay
from jaxdecay import Length, epochs, percent, samples, tokens
from jaxdecay.catalogue import default_population
from jaxdecay.length import parse_length
from jaxdecay.schedules_file import read_schedules, write_schedules
from jaxdecay.training.train import resolved_for_run

RUNS = (1_000, 1_001, 28_125)
FILE = """
[[schedule]]
family = "warmup_stable_decay"
peak_value = 0.1
warmup_steps = "10%"
stable_steps = "70%"
transition_steps = "20%"

[[schedule]]
family = "join"
schedules = [
    0.1,
    { family = "linear", init_value = 0.1, end_value = 0.01, transition_steps = "33.3%" },
    0.01,
]
lengths = ["33.3%", "33.3%", "33.4%"]

[[schedule]]
family = "warmup"
warmup_steps = "2 epochs"
schedule = { family = "cosine", init_value = 0.1, transition_steps = "100%" }

[[schedule]]
family = "multi_step"
init_value = 0.1
decay_rate = 0.5
boundaries = ["60%", "80%"]

[[schedule]]
family = "cosine"
init_value = [0.1, 0.3]
transition_steps = ["50%", "100%"]
"""


def rounded(number: fractions.Fraction) -> int:
    return int(number + fractions.Fraction(1, 2))


@pytest.mark.parametrize("steps", RUNS)
def test_a_file_gives_the_schedules_that_one_would_write_by_hand(
    tmp_path: Path, steps: int
) -> None:
    path = tmp_path / "schedules.toml"
    path.write_text(FILE)
    per_epoch = steps // 15
    population = read_schedules(path).resolve(steps=steps, steps_per_epoch=per_epoch)
    share = fractions.Fraction(steps, 1000)
    one, eight = rounded(100 * share), rounded(800 * share)
    third, two_thirds = rounded(333 * share), rounded(666 * share)
    by_hand = [
        jaxdecay.warmup_stable_decay(
            0.1, warmup_steps=one, stable_steps=eight - one, transition_steps=steps - eight
        ),
        jaxdecay.join(
            [
                0.1,
                jaxdecay.linear(0.1, end_value=0.01, transition_steps=two_thirds - third),
                0.01,
            ],
            lengths=[third, two_thirds - third, steps - two_thirds],
        ),
        jaxdecay.warmup(jaxdecay.cosine(0.1, transition_steps=steps), warmup_steps=2 * per_epoch),
        jaxdecay.multi_step(0.1, decay_rate=0.5, boundaries=[rounded(600 * share), eight]),
        *(
            jaxdecay.cosine(rate, transition_steps=length)
            for rate in (0.1, 0.3)
            for length in (rounded(500 * share), steps)
        ),
    ]
    assert list(population) == by_hand


@pytest.mark.parametrize("steps", [7, 13, 99, *RUNS, 2**31 - 1])
@pytest.mark.parametrize("parts", [(10, 70, 20), (1, 1, 98), (33.3, 33.3, 33.4), (0.1, 99.8, 0.1)])
def test_shares_that_sum_to_all_end_at_the_last_step(
    steps: int, parts: tuple[float, float, float]
) -> None:
    names = ("warmup_steps", "stable_steps", "transition_steps")
    lengths = {name: percent(part) for name, part in zip(names, parts, strict=True)}
    schedule = jaxdecay.warmup_stable_decay(0.1, **lengths).resolve(steps=steps)
    counts = [getattr(schedule, name) for name in names]
    assert sum(counts) == steps
    assert all(isinstance(count, int) and count >= 0 for count in counts)
    for count, part in zip(counts, parts, strict=True):
        assert abs(count - part / 100 * steps) <= 1


def test_mixed_units_are_added_up_in_order() -> None:
    schedule = jaxdecay.infinite_schedule(
        0.3,
        stable_value=0.1,
        end_value=0.01,
        warmup_steps=7,
        cooldown_steps=epochs(1.5),
        stable_steps=samples(1_000),
        transition_steps=percent(50),
    ).resolve(steps=1_001, steps_per_epoch=33, samples_per_step=32)
    # 7, then 49.5, then 31.25, then 500.5 steps: positions 56.5, 87.75 and 588.25, rounded.
    assert (schedule.warmup_steps, schedule.cooldown_steps) == (7, 50)
    assert (schedule.stable_steps, schedule.transition_steps) == (88 - 57, 588 - 88)


def test_tokens_follow_a_batch_size_that_grows() -> None:
    """A warm-up, plateau and decay in tokens end at their floor, although the batch doubles."""
    batch = np.where(np.arange(600) < 300, 1_000, 2_000)
    total = int(batch.sum())
    schedule = jaxdecay.warmup_stable_decay(
        0.1,
        warmup_steps=tokens(0.1 * total),
        stable_steps=tokens(0.6 * total),
        transition_steps=tokens(0.3 * total),
        end_value=0.01,
    ).resolve(tokens_per_step=batch)
    seen = np.concatenate([[0], np.cumsum(batch)])
    warm, stable, end = np.searchsorted(seen, [0.1 * total, 0.7 * total, total])
    assert (schedule.warmup_steps, schedule.stable_steps) == (warm, stable - warm)
    assert schedule.transition_steps == end - stable
    assert float(schedule(600)) == np.float32(0.01)
    assert float(schedule(599)) > 0.01
    constant = jaxdecay.warmup(0.1, warmup_steps=tokens(total)).resolve(tokens_per_step=1_000)
    assert constant.warmup_steps == 900  # without the ramp it would take longer
    longer = jaxdecay.warmup(0.1, warmup_steps=tokens(total + 4_000))
    assert longer.resolve(tokens_per_step=batch).warmup_steps == 602  # the last size holds
    after = jaxdecay.warmup_stable_decay(
        0.1,
        warmup_steps=602,
        stable_steps=tokens(6_000),
        transition_steps=tokens(4_000),
    ).resolve(tokens_per_step=batch)
    assert (after.stable_steps, after.transition_steps) == (3, 2)  # and it holds from there on


def test_other_clocks() -> None:
    drops = jaxdecay.step_decay(0.1, decay_rate=0.5, transition_steps=percent(20))
    schedule = jaxdecay.per_epoch(drops, steps_per_epoch=epochs(1))
    resolved = schedule.resolve(steps=1_500, steps_per_epoch=100)
    assert resolved.schedule.transition_steps == 3  # epochs
    assert resolved.steps_per_epoch == 100
    line = jaxdecay.linear(0.1, end_value=0.0, transition_steps=percent(100))
    counted = jaxdecay.count_units(line, units_per_step=4_096).resolve(steps=1_001)
    assert counted.schedule.transition_steps == 1_001 * 4_096
    assert float(counted(1_001)) == 0.0
    assert float(counted(1_000)) > 0.0


def test_a_period_is_at_least_a_step() -> None:
    short = jaxdecay.step_decay(0.1, decay_rate=0.5, transition_steps=percent(10))
    assert short.resolve(steps=3).transition_steps == 1
    assert jaxdecay.linear(0.1, end_value=0.0, transition_steps=percent(10)).resolve(
        steps=3
    ) == jaxdecay.linear(0.1, end_value=0.0, transition_steps=0)


def test_an_unresolved_schedule_says_what_to_do() -> None:
    schedule = jaxdecay.cosine(0.1, transition_steps=percent(100))
    fix = re.escape("call schedule.resolve(steps=…, steps_per_epoch=…) first")
    with pytest.raises(ValueError, match=r"cosine: transition_steps is percent\(100\).*" + fix):
        schedule(5)
    with pytest.raises(ValueError, match=fix):
        jaxdecay.warmup(schedule, warmup_steps=10)(5)
    with pytest.raises(ValueError, match=fix):
        optax.sgd(schedule).update(0.1, optax.sgd(schedule).init(0.1))
    with pytest.raises(ValueError, match=fix):
        jaxdecay.warmup_cosine(0.1, warmup_steps=percent(5), transition_steps=percent(95)).parts()


@pytest.mark.parametrize(
    ("length", "needs"),
    [
        (percent(10), "steps"),
        (epochs(3), "steps_per_epoch"),
        (samples(100), "samples_per_step"),
        (tokens(1e9), "tokens_per_step"),
    ],
)
def test_what_is_missing_is_named(length: Length, needs: str) -> None:
    schedule = jaxdecay.warmup(0.1, warmup_steps=length)
    with pytest.raises(ValueError, match=rf"without {needs}; give resolve\({needs}=…\)"):
        schedule.resolve()
    with pytest.raises(ValueError, match=f"{needs} must be > 0, got 0"):
        schedule.resolve(**{needs: 0})  # pyright: ignore[reportArgumentType]
    assert schedule.resolve(**{needs: 10}).warmup_steps >= 1  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("bad", [-1, np.nan, np.inf, "10", None, True])
@pytest.mark.parametrize("make", [percent, epochs, samples, tokens])
def test_lengths_are_numbers(make: Any, bad: Any) -> None:
    with pytest.raises(ValueError, match="takes a finite number ≥ 0"):
        make(bad)


def test_a_length_belongs_where_steps_are_counted() -> None:
    with pytest.raises(ValueError, match=r"cosine: init_value must be .*percent\(10\)"):
        jaxdecay.cosine(percent(10), transition_steps=100)
    with pytest.raises(ValueError, match=r"reduce_on_plateau: patience must be"):
        jaxdecay.reduce_on_plateau(0.1, patience=epochs(1))
    with pytest.raises(ValueError, match=r"multi_step: boundaries must be"):
        jaxdecay.multi_step(0.1, decay_rate=0.5, boundaries=percent(10))


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("10%", percent(10)),
        ("33.3 %", percent(33.3)),
        ("3 epochs", epochs(3)),
        ("1 epoch", epochs(1)),
        ("50_000 samples", samples(50_000)),
        ("2e9 tokens", tokens(2e9)),
        ("linear", None),
        ("10", None),
        ("-10%", None),
        ("10 apples", None),
    ],
)
def test_texts(text: str, length: Length | None) -> None:
    assert parse_length(text) == length
    if length is not None:
        assert parse_length(str(length)) == length
        assert eval(repr(length)) == length


def test_relative_schedules_survive_a_file(tmp_path: Path) -> None:
    schedules = list(default_population(10))
    path = tmp_path / "schedules.toml"
    write_schedules(schedules, path)
    assert list(read_schedules(path)) == schedules
    assert eval(repr(schedules[3]), vars(jaxdecay)) == schedules[3]


def test_lengths_that_do_not_fit_are_found_once_resolved() -> None:
    schedule = jaxdecay.hyperbolic(
        0.1, end_value=0.01, transition_steps=percent(100), upper_bound=500
    )
    assert schedule.resolve(steps=400).transition_steps == 400
    with pytest.raises(ValueError, match="upper_bound must be at least transition_steps"):
        schedule.resolve(steps=600)


def test_every_length_takes_a_share() -> None:
    """Each hyperparameter that counts steps, of every family, resolves to an integer."""
    for name, family in jaxdecay.families.items():
        for parameter in family.decay.parameters.values():
            if parameter.kind != "number" or not parameter.domain.relative:
                continue
            length = [percent(30), percent(60)] if parameter.domain.rank else percent(30)
            checked = parameter.checked(name, length)
            assert jaxdecay.length.is_relative(checked), (name, parameter.name)


@pytest.mark.usefixtures("relaxed_promotion")
def test_a_sweep_resolves_by_itself() -> None:
    task = jaxdecay.classifier(jaxdecay.digits())
    relative = jaxdecay.stack([jaxdecay.linear(0.3, end_value=0.0, transition_steps=percent(100))])
    result = jaxdecay.sweep(task, relative, epochs=2, batch_size=479)
    assert result.steps == 6
    assert result.best().transition_steps == 6
    assert result.final_learning_rate.tolist() == [[0.0]]


@pytest.mark.usefixtures("relaxed_promotion")
@pytest.mark.parametrize(
    ("length", "updates"), [(samples(1_280), 10), (epochs(1), 11), (percent(50), 11)], ids=repr
)
def test_lengths_are_counted_in_updates_where_each_takes_several_batches(
    length: Any, updates: int
) -> None:
    task = jaxdecay.classifier(jaxdecay.digits())
    schedule = jaxdecay.linear(0.3, end_value=0.0, transition_steps=length)
    resolved = resolved_for_run(
        schedule,
        task,
        lambda rate: optax.MultiSteps(optax.sgd(rate), every_k_schedule=4),
        steps=44,
        epochs=2,
        batch_size=32,
    )
    assert resolved.transition_steps == updates
