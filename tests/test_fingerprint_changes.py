"""Fingerprints of functions: every change of the text that matters is seen, and no other."""

from __future__ import annotations

import functools

import pytest
from fingerprinted import loaded_in, mark


@pytest.fixture
def load(tmp_path):
    return functools.partial(loaded_in, tmp_path)


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
