"""The signatures of families for tools that read them: inspect, typing, command-line builders."""

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
        signature: its hyperparameters, annotated with domains.
        function: the decay.
    """
    parameters = [
        parameter.replace(annotation=in_plain_types(parameter.annotation))
        for parameter in signature.parameters.values()
    ]
    public.__signature__ = signature.replace(parameters=parameters)
    public.__annotations__ = {
        **{parameter.name: parameter.annotation for parameter in parameters},
        "return": signature.return_annotation,
    }
    # Tools look for its source here, and some for its annotations too.
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
    """An annotation with Python numbers in place of JAX arrays, for tools that read signatures.

    Command-line builders cannot parse an array from text, and check the marks of a domain on each
    number.

    Example:
        >>> from jaxdecay.domain import NonNegative
        >>> from jaxdecay.signatures import in_plain_types
        >>> in_plain_types(NonNegative).__origin__
        <class 'float'>
    """
    if get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation):
        members = [member for member in get_args(annotation) if member is not type(None)]
        return Union[*map(in_plain_types, members), None]
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
    """Number types in place of an array type; other types unchanged."""
    members = get_args(annotation) or (annotation,)
    if jax.Array not in members:
        return annotation
    others = [
        member
        for member in members
        if member not in get_args(ArrayLike) and get_origin(member) is not Sequence
    ]
    numbers = (int, float) if count else (float,)
    return Union[*numbers, *others]
