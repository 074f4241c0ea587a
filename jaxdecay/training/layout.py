"""The memory layout of the parameters of many networks, chosen so that no product moves them.

A layer multiplies inputs [n, in] by a kernel [in, out], but the product for the kernel's gradient
has shape [out, in]. For one network, XLA hides this. For many networks under `jax.vmap`, it
transposes all kernels twice per step, which takes longer than the products. So a block stores
kernels as [members, out, in] (`stored`), and layers use a product that takes the kernel first
(`kernel_first`) and reads this layout directly: the kernels of all members form one matrix
[members · out, in], which is updated in one pass.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def stored(tree: Any) -> Any:
    """The arrays of a network as a block stores them, with the last two axes swapped."""
    return jax.tree.map(lambda array: array.mT if array.ndim >= 2 else array, tree)


restored = stored
"""The arrays as the network uses them: swapping the axes again undoes `stored`."""


def kernel_first(
    inputs: Array, kernel: Array, dimension_numbers: Any, precision: Any = None, **options: Any
) -> Array:
    """`jax.lax.dot_general`, computed as kernel times inputs: for layers of networks in blocks.

    Pass it to Flax: `nnx.Linear(..., dot_general=jaxdecay.kernel_first)`. The product is the same,
    but in a sweep it does not copy the kernels.

    Args:
        inputs: array of any shape.
        kernel: array of any shape.
        dimension_numbers: as for `jax.lax.dot_general`, without batch dimensions.
        precision: as for `jax.lax.dot_general`, like the other options.

    Returns:
        The product: the remaining axes of the inputs, then those of the kernel.

    Raises:
        ValueError: `dimension_numbers` have batch dimensions.

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
        raise ValueError(
            f"kernel_first takes no batch dimensions, got {batch}; use jax.lax.dot_general"
        )
    product = jax.lax.dot_general(
        kernel, inputs, ((of_kernel, of_inputs), ((), ())), precision=precision, **options
    )
    remaining = kernel.ndim - len(of_kernel)
    return jnp.moveaxis(product, range(remaining), range(-remaining, 0))
