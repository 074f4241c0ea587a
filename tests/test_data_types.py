"""Inputs and labels of every type: what JAX can hold is trained on, the rest is one clear line."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pandas
import polars
import pytest
import scipy.sparse

import jaxdecay
from jaxdecay.data import Data
from jaxdecay.training.train import take

pytestmark = pytest.mark.usefixtures("relaxed_promotion")


def with_inputs(inputs) -> Data:
    labels = np.zeros(len(inputs), np.int32)
    return Data(inputs, labels, inputs, labels, name="mine")


def with_labels(labels) -> Data:
    inputs = np.zeros((len(labels), 2), np.float32)
    return Data(inputs, labels, inputs, labels, name="mine")


LARGE = np.array([[2**40 + 12_345, 7], [2**31, 3], [2**53 + 1, 2**32]])


@pytest.mark.parametrize("kind", ["i8", ">i8", "u8", ">u8", "f8", ">f8", ">f4", "longdouble"])
def test_large_inputs_are_the_nearest_floats(kind):
    inputs = LARGE.astype(kind)
    data = with_inputs(inputs)
    seen = take(data.train_inputs, data.train_labels, jnp.arange(3), 2.0).inputs
    np.testing.assert_array_equal(seen, (LARGE.astype(np.float64) / 2).astype(np.float32))


def test_the_mean_of_large_inputs_is_right():
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 2**34, (100, 4))
    data = with_inputs(inputs)
    seen = take(data.train_inputs, data.train_labels, jnp.arange(100), 5e9).inputs
    np.testing.assert_allclose(np.mean(seen), inputs.mean() / 5e9, rtol=1e-6)


@pytest.mark.parametrize(
    "kind", ["u1", "i1", ">i2", "i4", ">i4", "f2", "f4", "?", ml_dtypes.bfloat16]
)
def test_narrow_inputs_keep_their_type(kind):
    inputs = np.arange(6).reshape(3, 2).astype(kind)
    data = with_inputs(inputs)
    assert data.train_inputs.dtype == np.dtype(kind).newbyteorder("=")
    seen = take(data.train_inputs, data.train_labels, jnp.arange(3), 1.0).inputs
    np.testing.assert_array_equal(seen, inputs.astype(np.float32))


def test_bytes_are_not_copied():
    images = np.zeros((4, 8, 8), np.uint8)
    assert with_inputs(images).train_inputs is images


@pytest.mark.parametrize("kind", ["i8", ">i8", "u8", ">u8", ">i4", ">u2"])
def test_labels_that_fit_stay_the_same_integers(kind):
    data = with_labels(np.array([0, 3, 40_000]).astype(kind))
    expected = np.dtype(kind).newbyteorder("=")
    assert data.train_labels.dtype == (f"{expected.kind}4" if expected.itemsize > 4 else expected)
    np.testing.assert_array_equal(jnp.asarray(data.train_labels), [0, 3, 40_000])


def test_in_64_bit_mode_nothing_is_narrowed():
    with jax.enable_x64(True):
        data = Data(LARGE, LARGE[:, 0], LARGE, LARGE[:, 0])
        assert jnp.asarray(data.train_labels)[2] == 2**53 + 1
        assert data.train_inputs.dtype == np.int64


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 2**31]), r"labels must fit into int32, got 0 … 2147483648"),
        (np.array([-(2**31) - 1, 0]), r"must fit into int32, got -2147483649 … 0; number classes"),
        (np.array([0, 2**40]), r"must fit into int32.*np\.unique\(labels, return_inverse=True\)"),
        (np.array([0, 2**32], np.uint64), "must fit into uint32, got 0 … 4294967296"),
        (np.array([0, 1e300]), r"train_labels: numbers must be finite as float32, got 1e\+300"),
        (np.array(["cat", "dog"]), r"labels must be numbers, got an array of <U3; number the clas"),
        (np.array([None, 1]), "labels must be numbers, got an array of object"),
    ],
)
def test_labels_that_jax_cannot_hold_are_refused(labels, message):
    with pytest.raises(ValueError, match=message) as caught:
        with_labels(labels)
    assert str(caught.value).startswith("mine: train_labels: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.ones((2, 3), complex), r"inputs must be real numbers, got an array of complex128"),
        (np.full((2, 3), "a"), r"inputs must be real numbers, got an array of <U1; convert it"),
        (np.full((2, 3), None), "inputs must be real numbers, got an array of object"),
        (np.zeros((2, 3), "M8[s]"), "inputs must be real numbers, got an array of datetime64"),
        (np.full((2, 3), 1e39), r"numbers must be finite as float32, got 1e\+39; scale them down"),
        (scipy.sparse.csr_matrix(np.eye(2)), r"a sparse csr_matrix with shape \(2, 2\).*toarray"),
        (np.ma.masked_less(np.eye(2), 0.5), r"without a mask; fill masked values with \.filled"),
        ({"a": [1, 2], "b": [3, 4]}, r"one array, got a dict with a, b; join.*np\.stack"),
    ],
)
def test_inputs_that_jax_cannot_hold_are_refused(inputs, message):
    labels = np.zeros(2, int)
    with pytest.raises(ValueError, match=message) as caught:
        Data(np.eye(2), labels, inputs, labels, name="mine")
    assert str(caught.value).startswith("mine: test_inputs: ")
    assert "\n" not in str(caught.value)


FRAMES = {"pandas": (pandas.DataFrame, pandas.Series), "polars": (polars.DataFrame, polars.Series)}


@pytest.mark.parametrize("library", FRAMES)
def test_frames_and_series_of_numbers_are_arrays(library):
    frame, series = FRAMES[library]
    columns = {"age": [61, 17, 33], "weight": [60.5, 71.25, 80.0], "smokes": [True, False, True]}
    inputs, labels = frame(columns), series([0, 1, 1])
    data = Data(inputs, labels, inputs, labels)
    expected = [[61, 60.5, 1], [17, 71.25, 0], [33, 80, 1]]
    np.testing.assert_array_equal(data.train_inputs, np.array(expected, np.float32))
    np.testing.assert_array_equal(data.test_labels, [0, 1, 1])
    task = jaxdecay.classifier(data)
    rates = jaxdecay.grid(jaxdecay.constant, value=[0.001])
    assert np.isfinite(jaxdecay.sweep(task, rates, batch_size=3).metrics["test_loss"]).all()


@pytest.mark.parametrize("library", FRAMES)
def test_the_column_that_holds_no_numbers_is_named(library):
    inputs = FRAMES[library][0]({"age": [61, 17], "name": ["Ann", "Bo"]})
    with pytest.raises(
        ValueError, match=r"train_inputs: column 'name' must contain numbers, got object"
    ):
        with_inputs(inputs)


def test_missing_values_of_a_frame_are_not_finite():
    data = with_inputs(pandas.DataFrame({"age": pandas.array([61, None], dtype="Int64")}))
    with pytest.raises(ValueError, match="inputs must be finite, some are not; fill or drop"):
        jaxdecay.classifier(data)


def test_inputs_without_columns_are_refused():
    with pytest.raises(ValueError, match=r"at least one number in each example, got shape \(3, 0"):
        jaxdecay.classifier(with_inputs(np.zeros((3, 0))))


def test_a_pytree_of_data_may_hold_anything_that_jax_puts_there():
    data = with_inputs(np.eye(3, dtype=np.float32))
    shapes = jax.eval_shape(lambda each: each, data)
    assert shapes.train_inputs.shape == (3, 3)
    assert jax.tree.map(np.shape, data).train_labels == (3,)
    assert jax.jit(lambda each: each)(data).train_inputs.shape == (3, 3)
