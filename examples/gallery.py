"""Draws every family on one sheet, each with a few values of its hyperparameters.

python examples/gallery.py --out gallery.png
"""

import argparse
import math
from typing import Any

import jax
import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxdecay
from jaxdecay import Schedule
from jaxdecay.catalogue import catalogue, example
from jaxdecay.extent import end_of

STEPS = 1_000
COLUMNS = 9
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
)  # Okabe and Ito: colour-blind readers can distinguish them
METRICS = np.concatenate(
    [np.linspace(1.0, 0.5, 300), np.full(300, 0.5), np.linspace(0.5, 0.45, 400)]
)
"""The loss at each step that adaptive families follow: it falls, stalls, and falls again."""

wave = jaxdecay.cosine(1.0, transition_steps=700)
line = jaxdecay.linear(1.0, end_value=0.0, transition_steps=700)

# Families whose docstring example does not show enough; all others are drawn from their docstring.
EXAMPLES: dict[str, list[Schedule]] = {
    "constant": [jaxdecay.constant(0.5)],
    "piecewise_constant": [
        jaxdecay.piecewise_constant([1.0, 0.5, 0.2, 0.1], boundaries=[300, 600, 800])
    ],
    "piecewise_linear": [
        jaxdecay.piecewise_linear([0.1, 1.0, 0.4, 0.0], boundaries=[0, 200, 600, 1000]),
        jaxdecay.piecewise_linear(
            [0.1, 1.0, 0.4, 0.0], boundaries=[0, 200, 600, 1000], shape="cosine"
        ),
    ],
    "interpolate": [
        jaxdecay.interpolate([0.2, 1.0, 0.7, 0.75, 0.3, 0.1, 0.0], transition_steps=160)
    ],
    "linear": [jaxdecay.linear(1.0, end_value=end, transition_steps=1000) for end in (0.0, 0.3)],
    "polynomial": [
        *(
            jaxdecay.polynomial(1.0, end_value=0.0, power=power, transition_steps=1000)
            for power in (0.5, 2.0)
        ),
        jaxdecay.polynomial(1.0, end_value=0.0, power=2.0, transition_steps=300, cycle=True),
    ],
    "cosine": [
        jaxdecay.cosine(1.0, transition_steps=1000),
        jaxdecay.cosine(1.0, transition_steps=700, end_value=0.1),
        jaxdecay.cosine(1.0, transition_steps=1000, power=3.0),
    ],
    "k_decay": [
        jaxdecay.k_decay(1.0, end_value=0.0, transition_steps=1000, k=k) for k in (0.5, 1.0, 3.0)
    ],
    "tanh_decay": [
        jaxdecay.tanh_decay(1.0, end_value=0.0, transition_steps=1000),
        jaxdecay.tanh_decay(
            1.0, end_value=0.0, transition_steps=1000, lower=-2.0, upper=2.0, normalized=True
        ),
    ],
    "rex": [jaxdecay.rex(1.0, transition_steps=1000)],
    "inverse_linear": [
        jaxdecay.inverse_linear(1.0, end_value=end, transition_steps=1000) for end in (0.01, 0.1)
    ],
    "hyperbolic": [
        jaxdecay.hyperbolic(1.0, end_value=0.0, transition_steps=1000, upper_bound=bound)
        for bound in (1050, 2000)
    ],
    "exponential_hyperbolic": [
        jaxdecay.exponential_hyperbolic(
            1.0, end_value=0.01, transition_steps=1000, upper_bound=bound
        )
        for bound in (1000, 2000)
    ],
    "exponential": [
        jaxdecay.exponential(1.0, decay_rate=0.05, transition_steps=1000),
        jaxdecay.exponential(1.0, decay_rate=0.7, transition_steps=120, staircase=True),
        jaxdecay.exponential(1.0, decay_rate=0.01, transition_steps=1000, end_value=0.2),
    ],
    "natural_exponential": [
        jaxdecay.natural_exponential(1.0, decay_rate=rate, transition_steps=1000)
        for rate in (1.0, 5.0)
    ],
    "inverse_time": [
        jaxdecay.inverse_time(1.0, decay_rate=5.0, transition_steps=1000),
        jaxdecay.inverse_time(1.0, decay_rate=50.0, transition_steps=1000),
        jaxdecay.inverse_time(1.0, decay_rate=5.0, transition_steps=1000, power=3.0),
    ],
    "inverse_sqrt": [
        jaxdecay.inverse_sqrt(1.0, transition_steps=10),
        jaxdecay.inverse_sqrt(1.0, transition_steps=100, staircase=True),
    ],
    "power_law": [
        jaxdecay.power_law(1.0, power=power, transition_steps=200) for power in (0.51, 1.0)
    ],
    "noam": [jaxdecay.noam(512, warmup_steps=warmup) for warmup in (100, 400)],
    "step_decay": [jaxdecay.step_decay(1.0, decay_rate=0.5, transition_steps=200)],
    "multi_step": [jaxdecay.multi_step(1.0, decay_rate=0.3, boundaries=[500, 750, 900])],
    "discrete_staircase": [jaxdecay.discrete_staircase(1.0, decrement=0.11, transition_steps=100)],
    "cosine_restarts": [
        jaxdecay.cosine_restarts(1.0, period=250),
        jaxdecay.cosine_restarts(1.0, period=143, period_multiplier=2.0, peak_multiplier=0.7),
    ],
    "cyclic": [
        jaxdecay.cyclic(0.1, peak_value=1.0, up_steps=125),
        jaxdecay.cyclic(0.1, peak_value=1.0, up_steps=50, down_steps=200, decay_rate=0.5),
    ],
    "sine_wave": [
        jaxdecay.sine_wave(0.1, peak_value=1.0, up_steps=125),
        jaxdecay.sine_wave(0.1, peak_value=1.0, up_steps=125, decay_rate=0.998, decay_every="step"),
    ],
    "warmup": [
        jaxdecay.warmup(wave, warmup_steps=300),
        jaxdecay.warmup(wave, warmup_steps=300, shape="cosine"),
        jaxdecay.warmup(wave, warmup_steps=300, shape="sqrt"),
    ],
    "cooldown": [
        jaxdecay.cooldown(1.0, begin=500, transition_steps=500),
        jaxdecay.cooldown(1.0, begin=500, transition_steps=500, shape="sqrt"),
        jaxdecay.cooldown(
            1.0, begin=500, transition_steps=500, end_value=0.01, shape="exponential"
        ),
    ],
    "join": [jaxdecay.join([0.7, line, 0.4], lengths=[300, 500, 200])],
    "hold": [jaxdecay.hold(line, begin=400)],
    "delay": [jaxdecay.delay(line, delay_steps=300)],
    "advance": [jaxdecay.advance(line, advance_steps=300)],
    "repeat": [
        jaxdecay.repeat(jaxdecay.linear(1.0, end_value=0.0, transition_steps=300), period=250)
    ],
    "clip": [jaxdecay.clip(wave, lower=0.2, upper=0.8)],
    "per_epoch": [
        jaxdecay.per_epoch(
            jaxdecay.linear(1.0, end_value=0.0, transition_steps=10), steps_per_epoch=100
        )
    ],
    "count_units": [
        jaxdecay.count_units(
            jaxdecay.linear(1.0, end_value=0.0, transition_steps=64_000), units_per_step=64
        )
    ],
    "extend": [wave, jaxdecay.extend(wave, at=400, new_transition_steps=1000)],
    "add": [
        jaxdecay.linear(0.6, end_value=0.0, transition_steps=1000)
        + jaxdecay.sine_wave(0.0, peak_value=0.2, up_steps=50)
    ],
    "multiply": [
        jaxdecay.cosine(1.0, transition_steps=1000)
        * jaxdecay.cyclic(0.5, peak_value=1.0, up_steps=50)
    ],
    "scale": [wave, 0.5 * wave],
    "warmup_cosine": [jaxdecay.warmup_cosine(1.0, warmup_steps=100, transition_steps=900)],
    "warmup_linear": [jaxdecay.warmup_linear(1.0, warmup_steps=100, transition_steps=900)],
    "warmup_stable_decay": [
        jaxdecay.warmup_stable_decay(
            1.0, warmup_steps=100, stable_steps=600, transition_steps=300, shape=shape
        )
        for shape in ("linear", "sqrt", "cosine")
    ],
    "infinite_schedule": [
        jaxdecay.infinite_schedule(
            1.0,
            stable_value=0.4,
            end_value=0.01,
            warmup_steps=100,
            cooldown_steps=300,
            stable_steps=300,
            transition_steps=300,
        )
    ],
    "one_cycle": [
        jaxdecay.one_cycle(1.0, transition_steps=1000),
        jaxdecay.one_cycle(1.0, transition_steps=1000, shape="linear", three_phase=True),
    ],
    "slanted_triangular": [jaxdecay.slanted_triangular(1.0, transition_steps=1000)],
    "reduce_on_plateau": [
        jaxdecay.reduce_on_plateau(1.0, factor=0.5, patience=patience) for patience in (3, 12)
    ],
    "greedy": [jaxdecay.greedy(jaxdecay.constant(0.5), factor=0.9, patience=10)],
}


def steps_of(schedule: Schedule) -> int:
    """Returns how many steps to draw of the example in a docstring."""
    return math.ceil(1.25 * (end_of(schedule) or STEPS))


def values(schedule: Schedule, steps: int) -> np.ndarray:
    """Returns the rate at each step; an adaptive schedule follows METRICS."""
    if not isinstance(schedule, jaxdecay.AdaptiveSchedule):
        return np.asarray(schedule(np.arange(steps + 1)))

    def follow(state: Any, metric: ArrayLike) -> tuple[Any, jax.Array]:
        return schedule.update(state, value=metric), schedule(state)

    _, rates = jax.lax.scan(follow, schedule.init(), METRICS[::10])
    return np.repeat(rates, 10)


def draw(axis: Axes, family: str) -> None:
    """Draws the curves of a family: those in EXAMPLES, or the example in its docstring."""
    schedules, steps = EXAMPLES.get(family, []), STEPS
    if not schedules:
        schedules = [example(family)]
        steps = steps_of(schedules[0])
    for schedule, colour in zip(schedules, COLOURS, strict=False):
        rates = values(schedule, steps)
        axis.plot(np.arange(len(rates)), rates, color=colour, lw=1.6)
    axis.set_title(family, fontsize=8.5)
    axis.set(xlim=(0, steps), ylim=(0, 1.08 * axis.get_ylim()[1]), xticks=[], yticks=[])
    axis.spines[["top", "right"]].set_visible(False)


def sheet() -> Figure:
    """Draws one or more rows for each group of the catalogue."""
    groups: dict[str, list[str]] = {}
    for entry in catalogue():
        groups.setdefault(entry.group, []).append(entry.family)
    heights = [-(-len(families) // COLUMNS) for families in groups.values()]
    figure = Figure(
        figsize=(16, 1.45 * sum(heights) + 0.35 * len(groups)), dpi=100, layout="constrained"
    )
    parts = figure.subfigures(
        len(groups), 1, squeeze=False, height_ratios=[rows + 0.25 for rows in heights]
    )
    for part, (group, families), rows in zip(np.ravel(parts), groups.items(), heights, strict=True):
        part.suptitle(group, x=0.005, ha="left", fontsize=11, fontweight="bold")
        axes = part.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axis, family in zip(axes, families, strict=False):
            draw(axis, family)
        for axis in axes[len(families) :]:
            axis.set_axis_off()
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="gallery.png")
    out = parser.parse_args().out
    sheet().savefig(out)
    print(f"{len(catalogue())} families in {out}")
