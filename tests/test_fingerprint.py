"""Fingerprints: what is read of functions and values, and what cannot be."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import os
import pickle
import subprocess
import sys
import threading
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from fingerprinted import NUMBERS, loaded_from, loaded_in, mark
from flax import linen, nnx

import jaxdecay
from jaxdecay.training.fingerprint import of_own_decays


@pytest.fixture
def load(tmp_path):
    return functools.partial(loaded_in, tmp_path)


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
            name = f"losses_{next(NUMBERS)}"
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
        "from fingerprinted import mark; from test_fingerprint import VALUES; "
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


def test_a_method_of_a_schedule_is_a_function_of_its_own():
    one, other = (jaxdecay.from_function(jaxdecay.constant(rate).__call__) for rate in (0.1, 0.2))
    assert of_own_decays([one]) != of_own_decays([other])
