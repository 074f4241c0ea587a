"""The processes of one sweep train the same: what they were given is compared before they begin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jax

from jaxdecay.results.sealed import digest_of
from jaxdecay.training.about import changed_functions, difference
from jaxdecay.training.processes import texts_of_all


def check_same(parts: Mapping[str, Any]) -> None:
    """Checks that all processes have the same parts; all call it.

    Args:
        parts: by name, values that JSON holds. "data" is a digest, and "code" contains digests.

    Raises:
        ValueError: a part differs. All processes raise it, with the same message.
    """
    if jax.process_count() == 1:
        return
    # Digests first: the parts of a million schedules are large.
    mine = {name: digest_of(part) for name, part in parts.items()}
    digests = [json.loads(text) for text in texts_of_all(json.dumps(mine))]
    for name in {name: None for each in digests for name in each}:
        values = [each.get(name) for each in digests]
        if len(set(values)) > 1:
            process = next(index for index, value in enumerate(values) if value != values[0])
            shared = texts_of_all(json.dumps(parts.get(name)))
            first, other = json.loads(shared[0]), json.loads(shared[process])
            raise ValueError(
                f"process {process} of this sweep differs from process 0: "
                f"{_difference(name, first, other)}; "
                "start all processes with the same arguments, data and code"
            )


def _difference(name: str, first: Any, other: Any) -> str:
    if name == "data":
        return "it has other data"
    if name == "code":
        functions = " and ".join(changed_functions(first, other))
        return f"its {functions} differs (the source, a value that it uses, or a package)"
    what, value, expected = difference(name, other, first)
    return f"{what} is {value} and not {expected}"
