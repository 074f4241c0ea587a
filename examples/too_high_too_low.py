"""Draws what a learning rate that is too high or too low does, and what a decay does better.

Gradient descent with momentum runs on a surface with two valleys: a shallow one near the start, and
a deep one behind it. A rate that is too high circles around the deep valley and never settles. One
that is too low ends in the shallow valley, the local minimum. A decay starts high enough to leave
the shallow valley and ends low enough to settle in the deep one, the global minimum.

    python examples/too_high_too_low.py --out too_high_too_low.png
"""

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike
from matplotlib.figure import Figure

import jaxdecay

STEPS = 300
START = jnp.array([2.2, 1.1])
DEEP, SHALLOW = jnp.array([-1.0, -0.3]), jnp.array([1.2, 0.5])

# The title of each panel, and its schedule.
SCHEDULES = {
    "too high: constant(0.8)": jaxdecay.constant(0.8),
    "too low: constant(0.002)": jaxdecay.constant(0.002),
    "exponential decay from 0.8": jaxdecay.exponential(
        0.8, decay_rate=0.01, transition_steps=STEPS
    ),
    "inverse-time decay from 0.8": jaxdecay.inverse_time(
        0.8, decay_rate=30.0, transition_steps=STEPS
    ),
    "cosine decay from 0.8": jaxdecay.cosine(0.8, transition_steps=STEPS),
    "step decay from 0.8": jaxdecay.step_decay(0.8, decay_rate=0.3, transition_steps=STEPS // 4),
}


def height(point: jax.Array) -> jax.Array:
    """The height of the surface: a bowl with a deep and a shallow hole."""

    def hole(centre: ArrayLike, width: float) -> jax.Array:
        return jnp.exp(-jnp.sum(jnp.square(point - centre)) / (2 * width**2))

    bowl = 0.06 * jnp.sum(jnp.square(point))
    return bowl - 1.6 * hole(DEEP, 0.75) - 0.55 * hole(SHALLOW, 0.45)


def descend(schedule: jaxdecay.Schedule) -> jax.Array:
    """Returns the path of gradient descent: points [STEPS + 1, 2]."""
    optimizer = optax.sgd(learning_rate=schedule, momentum=0.9)

    def step(state: Any, _: None) -> tuple[Any, jax.Array]:
        point, optimizer_state = state
        updates, optimizer_state = optimizer.update(jax.grad(height)(point), optimizer_state)
        return (optax.apply_updates(point, updates), optimizer_state), point

    (last, _), path = jax.lax.scan(step, (START, optimizer.init(START)), length=STEPS)
    return jnp.concatenate([path, last[None]])


def minimum(near: jax.Array) -> jax.Array:
    """Returns the minimum of the valley around a point."""
    return jax.lax.fori_loop(0, 2_000, lambda _, point: point - 0.1 * jax.grad(height)(point), near)


def draw(paths: dict[str, np.ndarray]) -> Figure:
    figure = Figure(figsize=(12, 9), layout="constrained", dpi=110)
    panels = figure.subplots(3, 3, height_ratios=[1, 1, 0.7])
    x, y = np.meshgrid(np.linspace(-3, 3, 200), np.linspace(-2.2, 2.2, 150))
    surface = jax.vmap(jax.vmap(height))(jnp.stack([x, y], axis=-1))
    for panel, (name, path) in zip(panels[:2].ravel(), paths.items(), strict=True):
        panel.contour(x, y, surface, levels=24, cmap="Greys", linewidths=0.7)
        panel.plot(*path.T, "-", color="#0072B2", lw=0.8, alpha=0.7)
        panel.plot(*path[-60:].T, ".", color="#D55E00", ms=5, label="the last 60 steps")
        panel.plot(*START, "k^", ms=8, label="start")
        panel.plot(*minimum(DEEP), "k*", ms=12, label="global minimum")
        panel.plot(*minimum(SHALLOW), "kx", ms=8, label="local minimum")
        panel.set(title=name, xlim=(-3, 3), ylim=(-2.2, 2.2))
    panels[0, 0].legend(loc="lower right", fontsize=7)
    rates, heights, empty = panels[2]
    for name, path in paths.items():
        rates.plot(SCHEDULES[name](np.arange(STEPS)), label=name)
        heights.plot(jax.vmap(height)(jnp.asarray(path)))
    rates.set(title="learning rate", xlabel="step", yscale="log")
    heights.set(title="height", xlabel="step")
    empty.axis("off")
    empty.legend(*rates.get_legend_handles_labels(), loc="center", frameon=False)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description="draws rates that are too high and too low")
    parser.add_argument("--out", default="too_high_too_low.png", help="file of the picture")
    out = parser.parse_args().out
    paths = {name: np.asarray(jax.jit(descend)(each)) for name, each in SCHEDULES.items()}
    goal, trap = np.asarray(minimum(DEEP)), np.asarray(minimum(SHALLOW))
    for name, path in paths.items():
        from_goal = np.linalg.norm(path[-60:] - goal, axis=1).max()
        from_trap = np.linalg.norm(path[-60:] - trap, axis=1).max()
        print(
            f"{name:30}  in its last 60 steps at most {from_goal:.3f} from the global "
            f"and {from_trap:.3f} from the local minimum"
        )
    draw(paths).savefig(out)
    print("Written to", out)


if __name__ == "__main__":
    main()
