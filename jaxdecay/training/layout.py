"""How the parameters of many networks lie in memory, so that no product has to move them.

A layer multiplies inputs [n, in] by a kernel [in, out], and its gradient is a product that comes
out as [out, in]. Of one network XLA hides that. Of many, mapped by `jax.vmap`, it transposes the
kernels of all of them twice a step, which costs more time than the products. So a block keeps
them as [members, out, in] (`stored`), and a layer whose product takes the kernel first
(`kernel_first`) reads them as they are: all members' kernels are one matrix
[members · out, in], and all their updates are one pass over it.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def stored(tree: Any) -> Any:
    """A network's arrays as a block keeps them: the last two axes of each exchanged."""
    return jax.tree.map(lambda each: each.mT if each.ndim >= 2 else each, tree)


restored = stored
"""The arrays as the network knows them: exchanging the axes again undoes it."""


def kernel_first(
    inputs: Array, kernel: Array, dimension_numbers: Any, precision: Any = None, **options: Any
) -> Array:
    """`jax.lax.dot_general`, computed as kernel times inputs: for layers of networks in blocks.

    Give it to Flax as `nnx.Linear(..., dot_general=jaxdecay.kernel_first)`; the values are those
    of any other product, and in a sweep the kernels are not copied for it.

    Args:
        inputs: array of any shape.
        kernel: array of any shape.
        dimension_numbers: as of `jax.lax.dot_general`; no batch dimensions.
        precision: as of `jax.lax.dot_general`, as are the other options.

    Returns:
        The axes of the inputs that remain, then those of the kernel.

    Raises:
        ValueError: there are batch dimensions.

    Example:
        >>> import jax, jaxdecay
        >>> from flax import nnx
        >>> layer = nnx.Linear(2, 3, dot_general=jaxdecay.kernel_first, rngs=nnx.Rngs(0))
        >>> layer(jax.numpy.ones((5, 2))).shape
        (5, 3)

    Source:
        Measured on the compiled program of a block; see `benchmarks/`.
    """
    (of_inputs, of_kernel), batch = dimension_numbers
    if any(batch):
        raise ValueError(f"kernel_first takes no batch dimensions, got {batch}")
    product = jax.lax.dot_general(
        kernel, inputs, ((of_kernel, of_inputs), ((), ())), precision=precision, **options
    )
    kept = kernel.ndim - len(of_kernel)
    return jnp.moveaxis(product, range(kept), range(-kept, 0))
