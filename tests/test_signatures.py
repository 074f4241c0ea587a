"""Families are functions for what reads functions: inspect, typing, command-line builders."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

import cloudpickle
import numpy as np
import pytest
from annotated_types import Ge, Gt, Le, Lt
from case import Case
from cases import one_of_each_family

import jaxdecay
from jaxdecay.domain import NonNegative

FAMILIES = pytest.mark.parametrize("case", one_of_each_family(), ids=lambda case: case.name)


def test_the_source_is_that_of_the_decay() -> None:
    source = inspect.getsource(jaxdecay.cosine)
    assert source.startswith("@decay(")
    assert "\ndef cosine(" in source
    assert inspect.isfunction(jaxdecay.cosine)
    assert jaxdecay.cosine.__doc__.startswith("Half a cosine wave")


def test_the_signature_has_the_hyperparameters_alone() -> None:
    parameters = inspect.signature(jaxdecay.cosine).parameters
    assert list(parameters) == ["init_value", "transition_steps", "end_value", "power", "cycle"]
    assert [each.kind.name for each in parameters.values()] == [
        "POSITIONAL_OR_KEYWORD",
        *["KEYWORD_ONLY"] * 4,
    ]
    assert parameters["end_value"].default == 0.0


def test_partial_application() -> None:
    of_90 = functools.partial(jaxdecay.cosine, transition_steps=90)
    assert of_90(0.1) == jaxdecay.cosine(0.1, transition_steps=90)
    assert next(iter(inspect.signature(of_90).parameters)) == "init_value"


@FAMILIES
def test_type_hints(case: Case) -> None:
    public = jaxdecay.family(case.schedule.family)
    for read in (public, public.__wrapped__):  # some builders read what was wrapped
        hints = typing.get_type_hints(read, include_extras=True)
        assert hints["return"] is type(case.schedule)
        assert list(hints) == [*inspect.signature(public).parameters, "return"]


# A command-line builder, as tyro and jsonargparse are: it makes of each word what the annotation
# says, and checks the bounds of annotated-types on the number they stand at.


def parsed(words: Sequence[str], annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        base, *marks = arguments
        value = parsed(words, base)
        for mark in marks:
            assert mark_holds(mark, value), (value, mark)
        return value
    if origin is Literal:
        return next(each for each in arguments if str(each) == words[0])
    if origin is Sequence:
        return [parsed([word], *arguments) for word in words]
    if origin in (typing.Union, types.UnionType):
        for each in arguments:
            try:
                return parsed(words, each)
            except ValueError:
                pass
        raise ValueError(words)
    if annotation is bool:
        return {"True": True, "False": False}[words[0]]
    if annotation in (int, float):
        (word,) = words
        return annotation(word)
    if annotation is type(None):
        raise ValueError(words)
    raise TypeError(f"a text cannot become {annotation}")


def mark_holds(mark: Any, value: Any) -> bool:
    holds = {
        Gt: lambda: value > mark.gt,
        Ge: lambda: value >= mark.ge,
        Lt: lambda: value < mark.lt,
        Le: lambda: value <= mark.le,
    }
    return holds.get(type(mark), lambda: True)()


def words_of(value: Any) -> list[str]:
    return [str(each) for each in np.asarray(value).tolist()] if np.ndim(value) else [str(value)]


def with_words() -> Iterator[Any]:
    """Families whose hyperparameters are numbers: a word cannot be a schedule for any function."""
    for case in one_of_each_family():
        kinds = {each.kind for each in case.schedule.decay.parameters.values()}
        if kinds <= {"number", "option"}:
            yield pytest.param(case.schedule, id=case.schedule.family)


@pytest.mark.parametrize("schedule", list(with_words()))
def test_every_family_of_numbers_is_built_from_words(schedule: jaxdecay.Schedule) -> None:
    public = jaxdecay.family(schedule.family)
    values = {**schedule.hyperparameters, **schedule.options}
    hints = typing.get_type_hints(public.__wrapped__, include_extras=True)
    arguments = {
        name: parsed(words_of(value), hints[name])
        for name, value in values.items()
        if value is not None
    }
    assert public(**arguments) == schedule


def test_counts_stay_integers_and_bounds_are_seen() -> None:
    hints = typing.get_type_hints(jaxdecay.cosine, include_extras=True)
    assert type(parsed(["100"], hints["transition_steps"])) is int
    assert type(parsed(["1e12"], get_args(hints["transition_steps"])[0])) is float
    assert type(parsed(["1"], hints["init_value"])) is float
    with pytest.raises(AssertionError, match="Ge"):
        parsed(["-1"], hints["init_value"])


def test_a_number_stands_for_a_schedule() -> None:
    hints = typing.get_type_hints(jaxdecay.warmup, include_extras=True)
    assert parsed(["0.5"], hints["schedule"]) == 0.5
    assert jaxdecay.Schedule in get_args(get_args(hints["schedule"])[0])


def test_a_function_with_a_closure_is_a_family(monkeypatch: Any) -> None:
    monkeypatch.setattr("jaxdecay.registry.families", dict(jaxdecay.families))
    floor = 0.25

    def above(step: Any, init_value: NonNegative, *, end_value: NonNegative = 0.0) -> Any:
        return init_value + end_value + floor

    family = jaxdecay.decay(above)
    assert float(family(0.5)(0)) == 0.75
    assert inspect.getsource(family).lstrip().startswith("def above(")
    again = cloudpickle.loads(cloudpickle.dumps(family))
    assert float(again(0.5)(0)) == 0.75
