"""Fingerprints: every change of what is computed is seen, and nothing else is."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import itertools
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx

import jaxdecay
from jaxdecay.training.fingerprint import fingerprint, of_own_decays

_number = itertools.count()


@pytest.fixture
def load(tmp_path):
    """Loads a module from a text; each is a file of its own, `mine.py`."""

    def loaded(text: str) -> types.ModuleType:
        path = tmp_path / str(next(_number)) / "mine.py"
        path.parent.mkdir()
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return loaded_from(path)

    return loaded


def loaded_from(path: Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("mine", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mark(value) -> str:
    return fingerprint(value, "the loss")


CHANGES = {
    "number": ("def f(x):\n    return x * 0.1", "0.1", "0.2"),
    "operation": ("def f(x):\n    return x * 2", "*", "+"),
    "type of a number": ("def f(x):\n    return x * 2", "2", "2.0"),
    "sign of zero": ("def f(x):\n    return x * 0.0", "0.0", "-0.0"),
    "order of operations": ("def f(x):\n    return x + 1 + 2", "x + 1 + 2", "x + (1 + 2)"),
    "default": ("w = 1\ndef f(x, y=w):\n    return y", "w = 1", "w = 2"),
    "default by name": ("w = 1\ndef f(x, *, y=w):\n    return y", "w = 1", "w = 2"),
    "closure": ("def make(a):\n    return lambda x: a * x\nf = make(1)", "make(1)", "make(2)"),
    "nested function": (
        "def f(x):\n    def g(y):\n        return y + 1\n    return g(x)",
        "+ 1",
        "+ 2",
    ),
    "constant": ("W = 0.1\ndef f(x):\n    return W * x", "0.1", "0.2"),
    "table": ("W = {'a': [1, 2]}\ndef f(x):\n    return W", "2]", "3]"),
    "order in a dictionary": (
        "W = {'a': 1, 'b': 2}\nf = lambda x: W",
        "'a': 1, 'b'",
        "'b': 1, 'a'",
    ),
    "set": ("W = {'a', 'b'}\nf = lambda x: W", "'b'", "'c'"),
    "function that is called": (
        "def g(x):\n    return h(x)\ndef h(x):\n    return x + 1\ndef f(x):\n    return g(x)",
        "+ 1",
        "+ 2",
    ),
    "functions that call each other": (
        "def g(x):\n    return f(x) + 1\ndef f(x):\n    return g(x) if x else 0",
        "+ 1",
        "+ 2",
    ),
    "function in a comprehension": (
        "g = lambda x: x + 1\nf = lambda x: [g(y) for y in x]",
        "1",
        "2",
    ),
    "wrapped function": (
        "import jax\n@jax.jit\ndef f(x):\n    return x + 1",
        "+ 1",
        "+ 2",
    ),
    "mapped gradient": ("import jax\nf = jax.vmap(jax.grad(lambda x: x * x))", "* x", "* 2"),
    "axis of a map": ("import jax\nf = jax.vmap(lambda x: x, in_axes=0)", "in_axes=0", "in_axes=1"),
    "custom derivative": (
        """
        import jax
        @jax.custom_jvp
        def f(x):
            return x
        f.defjvp(lambda primals, tangents: (primals[0], 2 * tangents[0]))
        """,
        "2 *",
        "3 *",
    ),
    "remembered result": (
        "import functools\n@functools.lru_cache\ndef g(x):\n    return 1\nf = lambda x: g(2)",
        "return 1",
        "return 2",
    ),
    "attribute of a function": ("def f(x):\n    return f.w\nf.w = 1", "w = 1", "w = 2"),
    "argument of a partial": ("import functools\nf = functools.partial(max, 1)", "1", "2"),
    "method": (
        "class A:\n    def g(self):\n        return 1\ndef f(x):\n    return A().g()",
        "return 1",
        "return 2",
    ),
    "method of the class before": (
        "class B:\n    def g(s):\n        return 1\nclass A(B):\n    pass\nf = lambda x: A().g()",
        "return 1",
        "return 2",
    ),
    "constant of a class": ("class A:\n    w = 1\nf = lambda x: A.w", "w = 1", "w = 2"),
    "property": (
        "class A:\n    @property\n    def g(self):\n        return 1\nf = A()",
        "return 1",
        "return 2",
    ),
    "static method": (
        "class A:\n    @staticmethod\n    def g():\n        return 1\nf = A",
        "return 1",
        "return 2",
    ),
    "attribute of an object": (
        "class A:\n    def __init__(self, w):\n        self.w = w\nf = A(1)",
        "A(1)",
        "A(2)",
    ),
    "object of a bound method": (
        "class A:\n    def g(self):\n        return self.w\na = A()\na.w = 1\nf = a.g",
        "w = 1",
        "w = 2",
    ),
    "slot": ("class A:\n    __slots__ = ('w',)\nf = A()\nf.w = 1", "f.w = 1", "f.w = 2"),
    "field": (
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n    w: int\nf = A(1)",
        "A(1)",
        "A(2)",
    ),
    "default of a field": (
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n    w: int = 1\nf = A",
        "= 1",
        "= 2",
    ),
    "named tuple": (
        "import collections\nA = collections.namedtuple('A', 'w')\nf = A(1)",
        "A(1)",
        "A(2)",
    ),
    "enumeration": ("import enum\nclass A(enum.Enum):\n    w = 1\nf = A.w", "= 1", "= 2"),
    "value of an array": ("import numpy as np\nW = np.array([1, 2])\nf = lambda x: W", "2", "3"),
    "type of an array": ("import numpy as np\nf = np.array([1, 2], 'i4')", "i4", "u4"),
    "byte order of an array": ("import numpy as np\nf = np.zeros(2, '<i4')", "<i4", ">i4"),
    "shape of an array": ("import numpy as np\nf = np.zeros((2, 3))", "(2, 3)", "(3, 2)"),
    "weak type": ("import jax.numpy as jnp\nf = jnp.asarray(1.0)", "1.0", "1.0, 'float32'"),
    "key": ("import jax\nW = jax.random.key(0)\nf = lambda x: W", "0", "1"),
    "array of objects": ("import numpy as np\nf = np.array([1, 'a'], object)", "'a'", "'b'"),
    "which of the installed functions": (
        "import jax.numpy as jnp\nf = lambda x: jnp.sum(x)",
        "jnp.sum",
        "jnp.max",
    ),
    "what a name means": ("from math import sin as g\nf = lambda x: g(x)", "sin", "cos"),
    "second lambda of a line": ("g, f = lambda x: x, lambda x: x + 1", "+ 1", "+ 2"),
    "inner lambda of a line": ("f = lambda x: (lambda y: y + 1)(x)", "+ 1", "+ 2"),
    "hyperparameter of an optimizer": (
        "import optax\nf = lambda rate: optax.adamw(rate, weight_decay=0.1)",
        "0.1",
        "0.2",
    ),
    "hyperparameter of a transformation": (
        "import optax\nf = optax.adamw(0.1, weight_decay=0.1)",
        "decay=0.1",
        "decay=0.2",
    ),
    "hyperparameter of an injected optimizer": (
        "import optax\nf = optax.inject_hyperparams(optax.adamw)(0.1, b1=0.9)",
        "0.9",
        "0.8",
    ),
    "order of a chain": (
        "import optax\nf = optax.chain(optax.clip(1.0), optax.trace(0.9))",
        "optax.clip(1.0), optax.trace(0.9)",
        "optax.trace(0.9), optax.clip(1.0)",
    ),
    "mask": (
        "import optax\nf = optax.masked(optax.trace(0.9), lambda tree: True)",
        "True",
        "False",
    ),
    "width of a module": (
        "from flax import nnx\nf = nnx.Linear(2, 3, rngs=nnx.Rngs(0))",
        "2, 3",
        "2, 4",
    ),
    "weights of a module": (
        "from flax import nnx\nf = nnx.Linear(2, 3, rngs=nnx.Rngs(0))",
        "Rngs(0)",
        "Rngs(1)",
    ),
    "activation of a module": (
        """
        from flax import nnx
        class Net(nnx.Module):
            def __init__(self, rngs):
                self.act = nnx.relu
                self.layer = nnx.Linear(2, 3, rngs=rngs)
            def __call__(self, x):
                return self.act(self.layer(x)) + 1
        graph, _ = nnx.split(Net(nnx.Rngs(0)))
        f = lambda x: graph
        """,
        "nnx.relu",
        "nnx.gelu",
    ),
    "call of a module": (
        """
        from flax import nnx
        class Net(nnx.Module):
            def __init__(self, rngs):
                self.layer = nnx.Linear(2, 3, rngs=rngs)
            def __call__(self, x):
                return self.layer(x) + 1
        graph, _ = nnx.split(Net(nnx.Rngs(0)))
        f = lambda x: graph
        """,
        "+ 1",
        "+ 2",
    ),
    "field of a Linen module": (
        "from flax import linen\nf = linen.Dense(3).apply",
        "Dense(3)",
        "Dense(4)",
    ),
    "schedule": (
        "import jaxdecay\ns = jaxdecay.cosine(0.1, transition_steps=9)\nf = lambda x: s(x)",
        "0.1",
        "0.2",
    ),
    "function of a schedule": (
        "import jaxdecay\nf = jaxdecay.from_function(lambda step, w: w * step, w=1)",
        "* step",
        "+ step",
    ),
    "range of random numbers": ("W = range(3)\nf = lambda x: W", "3", "4"),
    "pattern": ("import re\nW = re.compile('a')\nf = lambda x: W", "'a'", "'b'"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen(load, name):
    text, before, after = CHANGES[name]
    assert text.count(before) == 1
    found = {mark(load(each).f) for each in (text, text.replace(before, after))}
    assert len(found) == 2


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_text_is_the_same(load, name):
    text, _, _ = CHANGES[name]
    assert mark(load(text).f) == mark(load(text).f)


LAID_OUT = """
W = {"scale": 2.0}
def g(x, y=1):
    return x + y
class A:
    w = 1
    def h(self, x):
        if x: return g(x)
        return W["scale"] * x
def f(x):
    for i in range(3): x = A().h(x)
    return [y + 0.5 for y in x]
"""
OTHERWISE = '''
"""A module."""
# A comment.
import math

def unrelated(x):
    return math.sin(x)

W = {  # as in the paper
    'scale': 2.00,
}


def g(
    x,
    y=1,
):
    """Adds."""
    return (
        x
        + y  # both
    )


class A:
    """A class."""
    w = 1

    def h(self, x):
        """Scales."""
        if x:
            return g(x)
        return W['scale'] * x


def f(x):
    """Calls."""
    for i in range(3):
        x = A().h(x)
    return [
        y + 5e-1
        for y in x
    ]
'''


def test_comments_layout_and_what_is_not_used_do_not_matter(load):
    assert mark(load(LAID_OUT).f) == mark(load(OTHERWISE).f)


def test_without_a_source_it_is_the_bytecode():
    def of(text):
        names = {"__name__": "typed"}
        exec(text, names)
        return mark(names["f"])

    text = "def f(x):\n    return [x + 1 for _ in 'ab']"
    assert of(text) == of("\n\n" + text.replace("\n", "\n    'Adds.'\n", 1))
    assert of(text) != of(text.replace("1", "2"))
    assert of(text) != of(text.replace("'ab'", "'ac'"))
    assert of("def f(x, y): return x") != of("def f(y, x): return x")


def test_a_file_that_was_edited_since_it_was_loaded_is_not_believed(tmp_path):
    """What runs is the function that was loaded."""
    path = tmp_path / "mine.py"
    path.write_text("def f(x):\n    return x + 1\n")
    module = loaded_from(path)
    before = mark(module.f)
    path.write_text("# a comment, and other lines\n\n\ndef f(x):\n    return x + 1\n")
    assert mark(module.f) == before
    path.write_text("def f(x):\n    return x + 23\n")
    assert mark(module.f) != mark(loaded_from(path).f)
    path.write_text("def f(x:\n")
    assert mark(module.f) != before  # not to be compared any more, and not an error


def test_functions_of_other_modules_are_seen(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    ways = {
        "by_import": "import losses_N\ndef f(x):\n    return losses_N.focal(x)",
        "by_name": "from losses_N import focal\ndef f(x):\n    return focal(x)",
        "inside": "def f(x):\n    import losses_N\n    return losses_N.focal(x)",
        "name_inside": "def f(x):\n    from losses_N import focal\n    return focal(x)",
    }
    for way, text in ways.items():
        found = []
        for other, number in (("pass", 1), ("return 3", 1), ("pass", 2)):
            name = f"losses_{next(_number)}"
            (tmp_path / f"{name}.py").write_text(
                f"def focal(x):\n    return x + {number}\ndef other(x):\n    {other}\n"
            )
            names = {"__name__": "typed"}
            # One name for all of them, in the text; each is loaded from a file of its own.
            sys.modules["losses_N"] = importlib.import_module(name)
            exec(text, names)
            found.append(mark(names["f"]))
        assert found[0] == found[1], way  # the other function is not used
        assert found[0] != found[2], way
    del sys.modules["losses_N"]


@pytest.mark.parametrize("end", ["x + 1", "f0(x) + 1"], ids=["chain", "ring"])
def test_the_most_distant_function_is_seen(load, end):
    lines = [f"def f{n}(x):\n    return f{n + 1}(x)" for n in range(60)]
    text = "\n".join([*lines, f"def f60(x):\n    return {end}", "f = f0"])
    assert mark(load(text).f) != mark(load(text.replace("+ 1", "+ 2")).f)


def test_cycles_end():
    own: list[object] = [1]
    own.append(own)
    other: list[object] = [1]
    other.append([1, other])  # which looks the same from each of its places
    assert mark(own) == mark(other)
    own[0] = 2
    assert mark(own) != mark(other)


def test_deep_structures_do_not_exhaust_the_stack():
    deep: list[object] = []
    for _ in range(20_000):
        deep = [deep]
    assert mark(deep) != mark([deep])


def test_whether_equal_values_are_one_object_does_not_matter():
    one = [1, 2]
    assert mark((one, one)) == mark(([1, 2], [1, 2]))


@dataclasses.dataclass
class Scale:
    factor: float
    weights: np.ndarray

    def __call__(self, x):
        return self.factor * x


class Remembers:
    def __init__(self, size):
        self.size = size

    @functools.cached_property
    def table(self):
        return list(range(self.size))


def double(x):
    return 2 * x


VALUES = {
    "dataclass": lambda: Scale(2.0, np.arange(3)),
    "function": lambda: double,
    "partial": lambda: functools.partial(double, x=jnp.arange(3)),
    "strings": lambda: {"names": {f"name {n}" for n in range(50)}},
    "schedule": lambda: jaxdecay.cosine(0.1, transition_steps=9),
    "optimizer": lambda: optax.adamw(0.1, mask=double),
    "key": lambda: jax.random.key(3),
    "module": lambda: nnx.split(nnx.Linear(2, 3, rngs=nnx.Rngs(0))),
    "Linen module": lambda: linen.Dense(3).apply,
    "random": lambda: np.random.default_rng(3),
    "object": lambda: Remembers(3),
}


@pytest.mark.parametrize(
    "name", ["dataclass", "function", "partial", "strings", "schedule", "random"]
)
def test_what_was_pickled_is_the_same(name):
    value = VALUES[name]()
    assert mark(pickle.loads(pickle.dumps(value))) == mark(value)


def test_what_an_object_remembers_does_not_matter():
    first, second = Remembers(3), Remembers(3)
    assert first.table == [0, 1, 2]
    assert mark(first) == mark(second) != mark(Remembers(4))


def test_other_processes_and_hash_seeds_find_the_same():
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
        "from test_fingerprint import VALUES, mark; "
        "print(*[mark(each()) for each in VALUES.values()])"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("0", "123")
    ]
    assert runs[0] == runs[1] == [mark(each()) for each in VALUES.values()]


def test_an_installed_package_is_its_version(tmp_path, monkeypatch):
    found = {}
    for version, number in (("1.0", 1), ("1.0", 2), ("2.0", 1)):
        folder = tmp_path / f"{version}-{number}" / "site-packages"
        (folder / "installed_losses-1.dist-info").mkdir(parents=True)
        (folder / "installed_losses-1.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: installed-losses\nVersion: {version}\n"
        )
        (folder / "installed_losses.py").write_text(f"def focal(x):\n    return x + {number}\n")
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            patch.delitem(sys.modules, "installed_losses", raising=False)
            module = importlib.import_module("installed_losses")
            found[version, number] = mark(module.focal), mark(lambda x, module=module: module)
            del sys.modules["installed_losses"]
    assert found["1.0", 1] == found["1.0", 2]
    assert not set(found["1.0", 1]) & set(found["2.0", 1])


def generator():
    yield 1


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (threading.Lock(), "_thread.lock"),
        (generator(), "builtins.generator"),
        (sys.stderr, r"\S+"),
        (types.ModuleType("mine"), "builtins.module"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(value, kind):
    table = {"inside": [value]}
    with pytest.raises(ValueError, match=rf"table\.inside\[0\] is a {kind}, whose") as refused:
        mark(lambda x: table)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("the loss cannot be compared")
    assert "write it as a function in a module or as a dataclass" in str(refused.value)


def test_a_traced_value_is_refused():
    with pytest.raises(ValueError, match="Tracer"):
        jax.jit(lambda x: mark(x) and x)(1.0)


def test_own_decays_are_told_from_the_library_s():
    def hyperbola(step, w):
        return w / (1 + step)

    mine = jaxdecay.from_function(hyperbola, w=0.1)
    theirs = jaxdecay.cosine(0.1, transition_steps=9)
    assert of_own_decays([theirs]) == {}
    assert list(of_own_decays([theirs, mine])) == ["hyperbola"]
    inside = jaxdecay.join([theirs, mine], lengths=[3, 3])
    assert of_own_decays([inside]) == of_own_decays([theirs, mine])
    # Two of one name: which schedule has which.
    one, two = (jaxdecay.from_function(f, w=1) for f in (lambda s, w: w, lambda s, w: 2 * w))
    assert of_own_decays([one, two]) != of_own_decays([two, one])
    assert of_own_decays([one, two, one]) != of_own_decays([one, two, two])


# A real sweep, resumed with something that was edited.

SWEEP = """
import jax, jax.numpy as jnp, optax
import jaxdecay

MOMENTUM = 0.5

def init(key):
    return {"w": jax.random.normal(key, (64, 10)) * 0.01}

def logits(parameters, inputs):
    return inputs.reshape(-1, 64) @ parameters["w"]

def loss(parameters, batch):
    outputs = logits(parameters, batch.inputs)
    return optax.softmax_cross_entropy_with_integer_labels(outputs, batch.labels).mean() * 1.0

def metrics(parameters, batch):
    right = logits(parameters, batch.inputs).argmax(-1) == batch.labels
    return {"accuracy": jnp.mean(right, dtype=float)}

def optimizer(rate):
    return optax.sgd(rate, momentum=MOMENTUM, nesterov=False)

def slow(step, init_value):
    return init_value / (1 + 0.01 * step)

accuracy = jaxdecay.Metric("accuracy", larger_is_better=True)
task = jaxdecay.Task(init, loss, metrics, jaxdecay.digits(), measures=[accuracy])
schedules = jaxdecay.stack(
    [jaxdecay.constant(0.1), jaxdecay.from_function(slow, init_value=0.1)]
)
"""

EDITS = {
    "loss": ("* 1.0", "* 1.5"),
    "metrics": ("== batch.labels", "!= batch.labels"),
    "init": ("* 0.01", "* 0.02"),
    "loss and metrics": ("reshape(-1, 64) @", "reshape(-1, 64) * 2 @"),
    "optimizer": ("MOMENTUM = 0.5", "MOMENTUM = 0.6"),
    "decay slow": ("0.01 * step", "0.02 * step"),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    (folder / "mine.py").write_text(SWEEP)
    go_on(loaded_from(folder / "mine.py"), folder, epochs=1)
    return folder


def go_on(module, folder, **changes):
    settings = {"optimizer": module.optimizer, "epochs": 2, "batch_size": 359, "block": 2}
    settings["checkpoints"] = jaxdecay.Checkpoints(folder / "checkpoints")
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        return jaxdecay.sweep(module.task, module.schedules, **{**settings, **changes})


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_sweep_is_not_resumed(load, kept, name):
    before, after = EDITS[name]
    assert SWEEP.count(before) == 1
    module = load(SWEEP.replace(before, after))
    with pytest.raises(
        ValueError, match=f"of another sweep: {name} changed since the sweep was started"
    ):
        go_on(module, kept)


def test_another_lambda_is_not_resumed(load, kept):
    module = load(SWEEP)
    module.optimizer = lambda rate: optax.sgd(rate, momentum=0.5)
    module.optimizer.__name__ = "optimizer"
    with pytest.raises(ValueError, match="optimizer changed"):
        go_on(module, kept)


def test_other_random_numbers_of_jax_are_not_resumed(load, kept):
    with (
        jax.threefry_partitionable(False),
        pytest.raises(
            ValueError, match=r"jax\[jax_threefry_partitionable\] was True and is now False"
        ),
    ):
        go_on(load(SWEEP), kept)


def test_what_cannot_be_compared_is_refused_with_checkpoints_only(load, tmp_path):
    module = load(SWEEP.replace("MOMENTUM = 0.5", "import threading\nMOMENTUM = threading.Lock()"))
    module.optimizer = lambda rate: module.MOMENTUM and optax.sgd(rate)
    with pytest.raises(ValueError, match="the optimizer cannot be compared"):
        go_on(module, tmp_path)
    result = go_on(module, tmp_path, checkpoints=None, epochs=1)
    assert np.isfinite(result.history["train_loss"]).all()


def test_a_reformatted_sweep_is_resumed(load, kept):
    text = SWEEP.replace("MOMENTUM = 0.5", "# Nesterov does not help.\nMOMENTUM = 5e-1")
    result = go_on(load(text), kept)
    assert len(result.history["train_loss"]) == 2
