"""The signatures of families, for what reads them: inspect, typing, command-line builders."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

import jax
from jax.typing import ArrayLike

from jaxdecay.domain import Domain, Rank


def describe(public: Any, signature: inspect.Signature, function: Callable[..., Any]) -> None:
    """Gives the public function of a decay a signature, in plain types, and its source.

    Args:
        public: the function that users call.
        signature: of its hyperparameters, with domains.
        function: the decay.
    """
    parameters = [
        each.replace(annotation=in_plain_types(each.annotation))
        for each in signature.parameters.values()
    ]
    public.__signature__ = signature.replace(parameters=parameters)
    public.__annotations__ = {
        **{each.name: each.annotation for each in parameters},
        "return": signature.return_annotation,
    }
    # Where its source is; some take the annotations from there as well.
    if isinstance(function, types.FunctionType):
        public.__wrapped__ = types.FunctionType(
            function.__code__,
            function.__globals__,
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
        public.__wrapped__.__annotations__ = public.__annotations__


def in_plain_types(annotation: Any) -> Any:
    """An annotation with Python's numbers for JAX's arrays, for what builds from signatures.

    Command-line builders cannot make an array of a text, and check the marks of a domain on each
    number.

    Example:
        >>> from jaxdecay.domain import NonNegative
        >>> from jaxdecay.signatures import in_plain_types
        >>> in_plain_types(NonNegative).__origin__
        <class 'float'>
    """
    if get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation):
        given = [each for each in get_args(annotation) if each is not type(None)]
        return Union[*map(in_plain_types, given), None]
    if get_origin(annotation) is Sequence:
        return Sequence[in_plain_types(*get_args(annotation))]
    if get_origin(annotation) is not Annotated:
        return _plain_type(annotation, count=False)
    base, *marks = get_args(annotation)
    domain = Domain.of(annotation)
    number = _plain_type(base, count=domain.count)
    number = Annotated[number, *(mark for mark in marks if not isinstance(mark, Rank))]
    return Sequence[number] if domain.rank else number


def _plain_type(annotation: Any, *, count: bool) -> Any:
    """What an array may be in its place, a number; other types as they are."""
    members = get_args(annotation) or (annotation,)
    if jax.Array not in members:
        return annotation
    others = [
        each
        for each in members
        if each not in get_args(ArrayLike) and get_origin(each) is not Sequence
    ]
    numbers = (int, float) if count else (float,)
    return Union[*numbers, *others]
