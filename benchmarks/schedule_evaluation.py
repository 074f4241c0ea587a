"""How long it takes to evaluate schedules: all families together, beside Optax and Python.

    python benchmarks/schedule_evaluation.py --json benchmarks/results/FILE.json
    python benchmarks/schedule_evaluation.py --quick   # under half a minute

All families are in it, 4,096 members spread evenly over them as one `jaxdecay.Population`. The
families that Optax has too are measured again, as a population of the same size and

- by Optax, mapped: one `jax.vmap` a family over `init_value`, the only number that differs
  between these members and, in most families, the only one that Optax can trace;
- by Optax, listed: a compiled function that calls a list of Optax's closures. It is compiled for
  fewer members, as its time to compile grows with each; the table scales per member;
- by plain calls from Python, one schedule after another, for fewer members likewise.

In jaxdecay every hyperparameter of every member is an argument of the compiled program; in Optax
all but `init_value` are constants of it, which is less to compute.

Each is run inside a compiled loop over steps, as a training does it, and called from Python for
one step (not with `--quick`), where most of the time goes into starting a program. The bound is
the same for one multiplication and one addition on 4,096 numbers. All are compiled and warmed up
before they are timed, take turns, and block until the result is there. The values of Optax and of
jaxdecay are compared first.

Last, one call from Python of each family, in turns with the Optax schedule that it equals, or with
the slowest of Optax's where Optax has none. `constant` is the only family that Optax's is faster
than: `optax.constant_schedule` returns the Python number it was given, `constant` returns a new
array, as every schedule does, which alone takes JAX longer (`jnp.asarray(0.25)` is in the table).
One stored array cannot be returned each time: an optimizer that donates its state would delete it.
"""

import argparse
import dataclasses
import functools
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.console import Console
from rich.table import Table
from schedules import FAMILIES, OF_OPTAX, STEPS

import jaxdecay as jd


@dataclasses.dataclass(frozen=True)
class Way:
    """A way to evaluate schedules: `evaluate` gives the values of all at `steps` steps."""

    name: str
    where: str
    members: int
    families: int
    evaluate: Callable[[], Any]
    steps: int
    compile_seconds: float | None  # with the first run


def main() -> None:
    arguments = parse_arguments()
    load = os.getloadavg()[0]  # of other programs, which widen the spread
    compare_values()
    ways = all_ways(arguments)
    print("compiled", file=sys.stderr, flush=True)
    rows = measure(ways, arguments.runs, 0.02 if arguments.quick else 0.2)
    report = {
        "task": f"values of schedules at a step, {len(FAMILIES)} families, {STEPS} steps",
        "runs": arguments.runs,
        "families_of_optax": sorted(OF_OPTAX),
        "of_these_traceable": traceable_in_optax(),
        "rows": rows,
        "eager": eager_calls(101 if arguments.quick else 501),
        "machine": {
            "platform": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "load_average_at_start": load,
            "devices": [device.device_kind for device in jax.devices()],
        },
        "versions": {name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "optax")},
        "command": " ".join(["python", *sys.argv]),
    }
    show(report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="how long it takes to evaluate schedules")
    parser.add_argument("--quick", action="store_true", help="fewer closures, shorter runs")
    parser.add_argument("--members", type=int, default=4_096)
    parser.add_argument("--listed", type=int, help="members of the list of closures [256, 48]")
    parser.add_argument("--runs", type=int, default=7, help="timed runs of each figure")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    arguments.listed = arguments.listed or (48 if arguments.quick else 256)
    return arguments


def compare_values() -> None:
    steps = np.array([0, 50, 300, 499, 500, 750, 999])
    for family, of_optax in OF_OPTAX.items():
        ours = FAMILIES[family](0.25)(steps)
        theirs = [np.asarray(of_optax(0.25)(step)) for step in steps]
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-7, err_msg=family)


def all_ways(arguments: argparse.Namespace) -> list[Way]:
    """Every way, in a compiled loop and called from Python; the bounds are the first."""
    some = {family: FAMILIES[family] for family in OF_OPTAX}
    members, few = arguments.members, arguments.listed
    everything, shared = population(FAMILIES, members), population(some, members)
    rates = jnp.asarray(np.geomspace(0.01, 0.5, members))

    def bound(rates: jax.Array, step: jax.Array) -> jax.Array:
        return rates * 0.5 + step.astype(float)

    def call(population: jd.Population, step: jax.Array) -> jax.Array:
        return population(step)

    traceable = traceable_in_optax()

    def mapped(rates: jax.Array, step: jax.Array) -> jax.Array:
        groups = jnp.array_split(rates, len(traceable))
        values = [
            jax.vmap(lambda rate, make=OF_OPTAX[family]: make(rate)(step))(group)
            for family, group in zip(traceable, groups, strict=True)
        ]
        return jnp.concatenate(values)

    closures = [make(rate) for make, rate in spread_evenly(OF_OPTAX, few)]

    def listed(_: None, step: jax.Array) -> jax.Array:
        return jnp.stack([closure(step) for closure in closures])

    optax_only = len(some)
    programs = [
        ("bound: multiply and add", members, 0, bound, rates),
        ("jaxdecay, all families", members, len(FAMILIES), call, everything),
        ("jaxdecay, families of Optax", members, optax_only, call, shared),
        ("Optax, mapped over init_value", members, len(traceable), mapped, rates),
        ("jaxdecay, families of Optax", few, optax_only, call, population(some, few)),
        ("Optax, a list of closures", few, optax_only, listed, None),
    ]
    ways = [looped(*program) for program in programs]
    ways += [called(*program) for program in programs[: 1 if arguments.quick else None]]
    schedules = [make(rate) for make, rate in spread_evenly(some, few)]
    return [*ways, plain("jaxdecay, one by one", schedules), plain("Optax, one by one", closures)]


def traceable_in_optax() -> list[str]:
    """The families of Optax whose first value can be traced."""

    def can(family: str) -> bool:
        try:
            jax.eval_shape(lambda rate: OF_OPTAX[family](rate)(300), 0.1)
        except jax.errors.ConcretizationTypeError:
            return False
        return True

    return [family for family in OF_OPTAX if can(family)]


def spread_evenly(makers: dict[str, Any], members: int) -> list[tuple[Any, float]]:
    chosen = list(makers.values())
    rates = np.geomspace(0.01, 0.5, members).tolist()
    return [(chosen[index * len(chosen) // members], rate) for index, rate in enumerate(rates)]


def population(makers: dict[str, Any], members: int) -> jd.Population:
    made = jd.stack(make(rate) for make, rate in spread_evenly(makers, members))
    return jax.device_put(made)


Evaluation = Callable[[Any, jax.Array], jax.Array]


def looped(name: str, members: int, families: int, function: Evaluation, argument: Any) -> Way:
    """A function of an argument and a step, in a compiled loop over all steps."""

    def loop(argument: Any) -> jax.Array:
        def body(total: jax.Array, step: jax.Array) -> tuple[jax.Array, None]:
            return total + function(argument, step), None

        return jax.lax.scan(body, jnp.zeros(members), jnp.arange(STEPS))[0]

    evaluate = functools.partial(jax.jit(loop), argument)
    return Way(name, "in a loop", members, families, evaluate, STEPS, timed(evaluate, 1))


def called(name: str, members: int, families: int, function: Evaluation, argument: Any) -> Way:
    """A function of an argument and a step, compiled and called from Python for one step."""
    evaluate = functools.partial(jax.jit(function), argument, jnp.asarray(300))
    return Way(name, "called", members, families, evaluate, 1, timed(evaluate, 1))


def plain(name: str, schedules: list[optax.Schedule]) -> Way:
    """Calls from Python, one schedule after another, nothing compiled around them."""

    def evaluate() -> list[Any]:
        return [schedule(300) for schedule in schedules]

    timed(evaluate, 1)  # warm up
    return Way(name, "called", len(schedules), len(OF_OPTAX), evaluate, 1, None)


def measure(ways: list[Way], runs: int, seconds: float) -> list[dict[str, Any]]:
    """Microseconds a step of each way, in runs that take turns, each of about some seconds."""
    calls = [max(1, int(seconds / timed(way.evaluate, 1))) for way in ways]
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(runs):
        for way, number, own in zip(ways, calls, times, strict=True):
            own.append(timed(way.evaluate, number) / (number * way.steps) * 1e6)
    bounds = {way.where: own for way, own in reversed(list(zip(ways, times, strict=True)))}
    rows = []
    for way, own in zip(ways, times, strict=True):
        share = ways[0].members / way.members
        of_bound = [one / bound * share for one, bound in zip(own, bounds[way.where], strict=True)]
        rows.append(
            {
                "way": way.name,
                "where": way.where,
                "members": way.members,
                "families": way.families,
                "microseconds_a_step": spread(own),
                "nanoseconds_a_member": spread([each * 1e3 / way.members for each in own]),
                "times_the_bound_a_member": spread(of_bound),
                "compile_seconds": way.compile_seconds,
            }
        )
    return rows


def eager_calls(calls: int) -> list[dict[str, Any]]:
    """By family, medians of microseconds a call from Python, and Optax's in turns with it."""
    theirs = {family: make(0.25) for family, make in OF_OPTAX.items()}
    theirs["constant"] = optax.constant_schedule(0.25)  # a bare number, which a loop cannot add up
    alone = {family: in_turns([each], calls)[0] for family, each in theirs.items()}
    slowest = max(alone, key=alone.__getitem__)
    rows = []
    for family, make in FAMILIES.items():
        schedule, beside = make(0.25), family if family in theirs else slowest
        ours: Any = schedule
        if isinstance(schedule, jd.AdaptiveSchedule):
            ours = functools.partial(lambda schedule, state, _: schedule(state), schedule)
            ours = functools.partial(ours, schedule.init())
        medians = in_turns([ours, theirs[beside]], calls)
        rows.append({"family": family, "us": medians[0], "optax": beside, "optax_us": medians[1]})
    medians = in_turns([lambda step: jnp.asarray(0.25), theirs["constant"]], calls)
    new_array = {"family": "jnp.asarray(0.25)", "us": medians[0]}
    rows.append({**new_array, "optax": "constant", "optax_us": medians[1]})
    return rows


def in_turns(schedules: list[Callable[[Any], Any]], calls: int) -> list[float]:
    """Medians of microseconds a call of each, after two to warm up."""
    times: list[list[float]] = [[] for _ in schedules]
    for step in range(calls + 2):
        for schedule, own in zip(schedules, times, strict=True):
            own.append(timed(lambda each=schedule, step=step: each(step), 1) * 1e6)
    return [statistics.median(own[2:]) for own in times]


def timed(evaluate: Callable[[], Any], calls: int) -> float:
    """Seconds for some calls, each of which is waited for."""
    started = time.perf_counter()
    for _ in range(calls):
        jax.block_until_ready(evaluate())
    return time.perf_counter() - started


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def show(report: dict[str, Any]) -> None:
    table = Table(title=report["task"], caption="median (least … most) of runs that take turns")
    table.add_column("way")
    table.add_column("")
    for name in ("members", "µs a step", "ns a member", "× bound", "compile"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report["rows"]:
        seconds = row["compile_seconds"]
        table.add_row(
            row["way"],
            row["where"],
            f"{row['members']:,}",
            "{median:,.1f} ({least:,.1f} … {most:,.1f})".format(**row["microseconds_a_step"]),
            "{median:,.1f}".format(**row["nanoseconds_a_member"]),
            "{median:,.1f}".format(**row["times_the_bound_a_member"]),
            "" if seconds is None else f"{seconds:.1f} s",
        )
    Console(width=130).print(table)
    eager = Table(title="one call from Python", caption="medians of calls that take turns")
    for name in ("family", "µs", "beside Optax's", "µs", "ratio"):
        eager.add_column(name, justify="left" if name[0] in "fb" else "right")
    for row in sorted(report["eager"], key=lambda row: row["us"] / row["optax_us"]):
        ours, theirs = row["us"], row["optax_us"]
        numbers = f"{ours:,.1f}", row["optax"], f"{theirs:,.1f}", f"{ours / theirs:.2f}"
        eager.add_row(row["family"], *numbers)
    Console(width=130).print(eager)


if __name__ == "__main__":
    main()
