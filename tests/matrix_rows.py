"""Ways to train with a schedule, each with how it is built, stepped, saved and restored."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
import equinox
import flax.linen
import flax.serialization
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint
from compiler import AS_USERS_DO
from flax import nnx
from flax.training.train_state import TrainState

import jaxdecay


class Loop(NamedTuple):
    """Training: `step(state, value)` gives the next state and how far the parameter was moved."""

    step: Callable[[Any, Any], tuple[Any, Any]]
    state: Any


def rates(optimizer_state: Any) -> dict[str, jax.Array]:
    """Every learning rate in the state of an optimizer, as on the page "In your training loop"."""
    found = optax.tree.get_all_with_path(
        optimizer_state, "learning_rate", lambda path, value: isinstance(value, jax.Array)
    )
    return {jax.tree_util.keystr(path, simple=True, separator="/"): rate for path, rate in found}


class Row:
    """`inject_hyperparams`, and what other rows change of it."""

    name = "inject_hyperparams"
    always_compiled = False
    steps_per_update = 1
    dtype: Any = None

    @contextlib.contextmanager
    def settings(self) -> Iterator[None]:
        """JAX's own promotion, for code of others; not where the row is about it."""
        with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
            yield

    def optimizer(self, schedule: Any) -> Any:
        return optax.inject_hyperparams(optax.sgd)(learning_rate=schedule)

    def parameters(self) -> Any:
        return {"fast": jnp.zeros((), self.dtype)}

    def build(self, schedule: Any) -> Loop:
        optimizer, parameters = self.optimizer(schedule), self.parameters()

        def step(state: Any, value: Any) -> tuple[Any, Any]:
            gradients = jax.tree.map(jnp.ones_like, parameters)
            updates, state = optimizer.update(gradients, state, parameters, value=value)
            return state, updates["fast"]

        return Loop(step, optimizer.init(parameters))

    def jit(self, step: Any) -> Any:
        """Of a step of several loops, by name."""
        return jax.jit(step, compiler_options=AS_USERS_DO)

    def rate(self, state: Any) -> Any:
        (rate,) = rates(state).values()
        return rate

    def write(self, states: dict[str, Any], folder: Path) -> None:
        (folder / "states").write_bytes(pickle.dumps(states))

    def read(self, states: dict[str, Any], folder: Path) -> dict[str, Any]:
        """What was written; `states` are new ones of the same kind."""
        return pickle.loads((folder / "states").read_bytes())


class MultiSteps(Row):
    name = "MultiSteps"
    always_compiled = True
    steps_per_update = 2

    def optimizer(self, schedule: Any) -> Any:
        return optax.MultiSteps(super().optimizer(schedule), every_k_schedule=2)


class Partition(Row):
    name = "partition"

    def optimizer(self, schedule: Any) -> Any:
        groups = {"fast": super().optimizer(schedule), "slow": super().optimizer(0.25)}
        return optax.partition(groups, {"fast": "fast", "slow": "slow"})

    def parameters(self) -> Any:
        return {"fast": jnp.zeros(()), "slow": jnp.zeros(3)}

    def rate(self, state: Any) -> Any:
        (fast,) = (rate for path, rate in rates(state).items() if "/fast/" in path)
        return fast


class Chain(Row):
    name = "chain with scale_by_learning_rate"

    def optimizer(self, schedule: Any) -> Any:
        rate = optax.inject_hyperparams(optax.scale_by_learning_rate)(schedule)
        return optax.chain(optax.clip(1.0), optax.chain(optax.identity(), rate))


class _Module(nnx.Module):
    def __init__(self) -> None:
        self.fast = nnx.Param(jnp.zeros(()))


class NNX(Row):
    name = "nnx.Optimizer"

    def build(self, schedule: Any) -> Loop:
        module = _Module()
        optimizer = nnx.Optimizer(module, self.optimizer(schedule), wrt=nnx.Param)

        def step(state: Any, value: Any) -> tuple[Any, Any]:
            module, optimizer = state
            gradients = jax.tree.map(jnp.ones_like, nnx.state(module))
            updates = optimizer.update(module, gradients, value=value)
            return state, updates["fast"]

        return Loop(step, (module, optimizer))

    def jit(self, step: Any) -> Any:
        def moved(state: Any, value: Any) -> Any:
            return {name: moved for name, (_, moved) in step(state, value).items()}

        in_place = nnx.jit(moved)
        return lambda state, value: {
            name: (state[name], moved) for name, moved in in_place(state, value).items()
        }

    def rate(self, state: Any) -> Any:
        return super().rate(nnx.as_pure(state[1].opt_state))

    def write(self, states: Any, folder: Path) -> None:
        pure = {name: nnx.as_pure(nnx.state(each)) for name, each in states.items()}
        write_with_orbax(pure, folder)

    def read(self, states: Any, folder: Path) -> Any:
        pure = {name: nnx.as_pure(nnx.state(each)) for name, each in states.items()}
        restored = read_with_orbax(pure, folder)
        for name, each in states.items():
            nnx.update(each, restored[name])
        return states


class LinenState(TrainState):
    """A TrainState that shows an adaptive schedule its metric, as on the page."""

    def apply_gradients(self, *, grads: Any, value: Any = None, **changes: Any) -> Any:
        updates, state = self.tx.update(grads, self.opt_state, self.params, value=value)
        parameters = optax.apply_updates(self.params, updates)
        return self.replace(step=self.step + 1, params=parameters, opt_state=state, **changes)


class _LinenModule(flax.linen.Module):
    @flax.linen.compact
    def __call__(self) -> Any:
        return self.param("fast", flax.linen.initializers.zeros, ())


class Linen(Row):
    name = "Linen TrainState"

    def build(self, schedule: Any) -> Loop:
        module = _LinenModule()
        variables = module.init(jax.random.key(0))
        kind = LinenState if isinstance(schedule, jaxdecay.AdaptiveSchedule) else TrainState
        state = kind.create(
            apply_fn=module.apply, params=variables["params"], tx=self.optimizer(schedule)
        )

        def step(state: Any, value: Any) -> tuple[Any, Any]:
            state = state.replace(params=jax.tree.map(jnp.zeros_like, state.params))
            gradients = jax.grad(lambda parameters: state.apply_fn({"params": parameters}))(
                state.params
            )
            follows = {"value": value} if isinstance(state, LinenState) else {}
            state = state.apply_gradients(grads=gradients, **follows)
            return state, state.params["fast"]

        return Loop(step, state)

    def write(self, states: Any, folder: Path) -> None:
        (folder / "states").write_bytes(flax.serialization.to_bytes(states))

    def read(self, states: Any, folder: Path) -> Any:
        return flax.serialization.from_bytes(states, (folder / "states").read_bytes())


class _EquinoxModule(equinox.Module):
    fast: jax.Array


class Equinox(Row):
    name = "Equinox module"

    def build(self, schedule: Any) -> Loop:
        module, optimizer = _EquinoxModule(jnp.zeros(())), self.optimizer(schedule)

        def step(state: Any, value: Any) -> tuple[Any, Any]:
            module, optimizer_state = state
            module = jax.tree.map(jnp.zeros_like, module)
            gradients = equinox.filter_grad(lambda module: module.fast)(module)
            updates, optimizer_state = optimizer.update(
                gradients, optimizer_state, module, value=value
            )
            module = equinox.apply_updates(module, updates)
            return (module, optimizer_state), module.fast

        return Loop(step, (module, optimizer.init(equinox.filter(module, equinox.is_array))))

    def jit(self, step: Any) -> Any:
        return equinox.filter_jit(step)

    def rate(self, state: Any) -> Any:
        return super().rate(state[1])

    def write(self, states: Any, folder: Path) -> None:
        equinox.tree_serialise_leaves(folder / "states.eqx", states)

    def read(self, states: Any, folder: Path) -> Any:
        return equinox.tree_deserialise_leaves(folder / "states.eqx", states)


def write_with_orbax(tree: Any, folder: Path) -> None:
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder / "orbax", tree)


def read_with_orbax(tree: Any, folder: Path) -> Any:
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        restored = checkpointer.restore(folder / "orbax", tree)
    # Not bound to a device, for which everything would be compiled again.
    return jax.tree.map(lambda each: jnp.asarray(np.asarray(each)), restored)


class Orbax(Row):
    name = "Orbax"

    def write(self, states: Any, folder: Path) -> None:
        write_with_orbax(states, folder)

    def read(self, states: Any, folder: Path) -> Any:
        return read_with_orbax(states, folder)


class X64(Row):
    name = "x64"
    always_compiled = True

    @contextlib.contextmanager
    def settings(self) -> Iterator[None]:
        with super().settings(), jax.enable_x64(True):
            yield

    dtype = "float64"


class BF16(Row):
    name = "bf16 parameters"
    dtype = jnp.bfloat16


class Strict(Row):
    name = "strict promotion"

    @contextlib.contextmanager
    def settings(self) -> Iterator[None]:
        with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
            yield


class DebugNans(Row):
    name = "jax_debug_nans"

    @contextlib.contextmanager
    def settings(self) -> Iterator[None]:
        with super().settings(), jax.debug_nans(True):
            yield


class DisableJit(Row):
    name = "disable_jit"

    @contextlib.contextmanager
    def settings(self) -> Iterator[None]:
        with super().settings(), jax.disable_jit():
            yield


class Pickle(Row):
    name = "pickle"

    def optimizer(self, schedule: Any) -> Any:
        return super().optimizer(pickle.loads(pickle.dumps(schedule)))


class CloudPickle(Row):
    name = "cloudpickle"

    def optimizer(self, schedule: Any) -> Any:
        """The optimizer as well: a closure, which pickle cannot write."""
        return cloudpickle.loads(cloudpickle.dumps(super().optimizer(schedule)))


class Export(Row):
    name = "jax.export"
    always_compiled = True

    def jit(self, step: Any) -> Any:
        """The compiled step, written and read; of leaves, as Optax's states are not registered."""
        structures: list[Any] = []

        def of_leaves(leaves: Any, value: Any) -> Any:
            leaves, after = jax.tree.flatten(step(structures[0].unflatten(leaves), value))
            structures.append(after)
            return leaves

        def call(state: Any, value: Any) -> Any:
            leaves, structure = jax.tree.flatten(state)
            if not structures:
                structures.append(structure)
                written = jax.export.export(jax.jit(of_leaves))(leaves, value).serialize()
                exported = jax.export.deserialize(written)
                call.read = jax.jit(exported.call, compiler_options=AS_USERS_DO)
            return structures[1].unflatten(call.read(leaves, value))

        return call


ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        *(Row(), MultiSteps(), Partition(), Chain(), NNX(), Linen(), Equinox(), Orbax()),
        *(Export(), X64(), BF16(), Strict(), DebugNans(), DisableJit(), Pickle(), CloudPickle()),
    )
}
