"""Data files: real ones are read, damaged ones are named, mirrors are tried in turn."""

from __future__ import annotations

import functools
import gzip
import http.server
import os
import shutil
import threading
from pathlib import Path

import jax
import numpy as np
import pooch
import pytest
from sklearn.datasets import load_digits

import jaxdecay
import jaxdecay.data as data_module

FILES = [file.name for file in data_module._FILES]


def mnist_folder() -> Path:
    folder = os.environ.get("JAXDECAY_DATA")
    if not folder:
        pytest.skip("needs the MNIST files: set JAXDECAY_DATA to their folder")
    return Path(folder)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the MNIST files, to be damaged."""
    for name in FILES:
        shutil.copyfile(mnist_folder() / name, tmp_path / name)
    return tmp_path


def test_digits_are_bytes_and_split_without_overlap():
    data = jaxdecay.digits()
    assert data.train_inputs.shape == (1437, 8, 8)
    assert data.test_inputs.shape == (360, 8, 8)
    assert data.train_inputs.dtype == data.train_labels.dtype == np.uint8
    assert data.train_inputs.max() == data.scale == 16
    assert set(np.unique(data.test_labels)) == set(range(10))
    seen = {image.tobytes() for image in data.train_inputs}
    assert not any(image.tobytes() in seen for image in data.test_inputs)


def test_digits_are_those_of_scikit_learn():
    data, (flat, labels) = jaxdecay.digits(), load_digits(return_X_y=True)
    test = np.arange(len(labels)) % 5 == 0
    np.testing.assert_array_equal(data.train_inputs.reshape(-1, 64), flat[~test])
    np.testing.assert_array_equal(data.test_inputs.reshape(-1, 64), flat[test])
    np.testing.assert_array_equal(data.train_labels, labels[~test])
    np.testing.assert_array_equal(data.test_labels, labels[test])


def test_data_is_a_pytree_of_its_arrays():
    data = jaxdecay.digits()
    assert len(jax.tree.leaves(data)) == 4
    assert jax.tree.map(lambda leaf: leaf, data).scale == 16


def test_mnist_is_read_from_its_files():
    data = jaxdecay.mnist(mnist_folder())
    assert data.train_inputs.shape == (60_000, 28, 28)
    assert data.test_inputs.shape == (10_000, 28, 28)
    assert data.train_inputs.dtype == np.uint8
    assert (data.scale, data.name) == (255.0, "mnist")
    # Known of MNIST: its first labels, how many zeros it has, and its mean pixel.
    assert data.train_labels[:6].tolist() == [5, 0, 4, 1, 9, 2]
    assert (data.train_labels == 0).sum() == 5_923
    np.testing.assert_allclose(data.train_inputs.mean() / 255, 0.1307, atol=5e-5)


def test_the_environment_variable_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("JAXDECAY_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=str(tmp_path / FILES[0])):
        jaxdecay.mnist()
    with pytest.raises(FileNotFoundError, match="other"):
        jaxdecay.mnist("other")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing"):
        jaxdecay.mnist(copy)


def test_a_truncated_file_is_named_with_its_length(copy):
    path = copy / FILES[2]
    path.write_bytes(path.read_bytes()[:1_000])
    with pytest.raises(
        jaxdecay.DataError, match=rf"{FILES[2]} is 1000 bytes long, expected 1648877"
    ):
        jaxdecay.mnist(copy)


def test_a_corrupted_file_is_named_with_its_digest(copy):
    path = copy / FILES[1]
    contents = bytearray(path.read_bytes())
    contents[5_000] ^= 1
    path.write_bytes(contents)
    with pytest.raises(jaxdecay.DataError, match=rf"{FILES[1]} is damaged.*expected 3552534a0a55"):
        jaxdecay.mnist(copy)


class Server:
    """A real HTTP server on the loopback address."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        requests = self.requests

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                requests.append(self.path)

        handler = functools.partial(Handler, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def download(monkeypatch, tmp_path):
    """Serves folders as mirrors; the download cache is empty."""
    servers = []

    def serve(*folders: Path) -> Path:
        servers.extend(Server(folder) for folder in folders)
        monkeypatch.setattr(data_module, "MIRRORS", tuple(server.url for server in servers))
        monkeypatch.delenv("JAXDECAY_DATA", raising=False)
        monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")
        return tmp_path / "cache"

    yield serve, servers
    for server in servers:
        server.stop()


def test_download_tries_the_next_mirror_and_keeps_the_files(download, tmp_path):
    real = mnist_folder()
    serve, servers = download
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / FILES[0]).write_bytes(gzip.compress(b"not MNIST"))  # the others are missing
    cache = serve(broken, real)
    assert jaxdecay.mnist().train_inputs.shape == (60_000, 28, 28)
    assert sorted(path.name for path in (cache / "mnist").iterdir()) == sorted(FILES)
    assert servers[0].requests
    asked = len(servers[1].requests)
    jaxdecay.mnist()
    assert len(servers[1].requests) == asked  # the second time nothing is downloaded


def test_without_network_the_error_says_what_works(download, tmp_path):
    serve, servers = download
    serve(tmp_path)
    servers[0].stop()
    with pytest.raises(jaxdecay.DataError, match=r"digits.*--data-dir or JAXDECAY_DATA"):
        jaxdecay.mnist()


# Files of one's own.


def own(**changes: np.ndarray | None) -> dict[str, np.ndarray]:
    """What such a file holds."""
    digits = jaxdecay.digits()
    arrays = {
        name: np.asarray(getattr(digits, name))
        for name in ("train_inputs", "train_labels", "test_inputs", "test_labels")
    }
    arrays |= {"scale": np.asarray(16.0), **changes}
    return {name: array for name, array in arrays.items() if array is not None}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_own_data_are_read_as_they_were_written(tmp_path, save):
    save(tmp_path / "mine.npz", **own())
    data, digits = jaxdecay.data_from_file(tmp_path / "mine.npz"), jaxdecay.digits()
    assert (data.name, data.scale) == ("mine", 16.0)
    jax.tree.map(np.testing.assert_array_equal, jax.tree.leaves(data), jax.tree.leaves(digits))
    save(tmp_path / "floats.npz", **own(scale=None))
    assert jaxdecay.data_from_file(tmp_path / "floats.npz").scale == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_labels": None}, "has no test_labels; it must contain train_inputs, train_labels"),
        ({"scale": np.zeros(())}, "scale must be a number > 0, got 0.0"),
        ({"scale": np.ones(2)}, "scale must be a number > 0"),
        ({"scale": np.asarray("256")}, "scale must be a number > 0, got 256"),
        ({"train_labels": np.array([{"a": 1}])}, "damaged: it contains an array of Python objects"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_wrong_with_own_data_is_said(tmp_path, changes, message):
    np.savez(tmp_path / "mine.npz", **own(**changes))
    with pytest.raises(jaxdecay.DataError, match=message) as told:
        jaxdecay.data_from_file(tmp_path / "mine.npz")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.999])
def test_own_data_that_are_cut_short_are_damaged(tmp_path, share):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, **own())
    contents = path.read_bytes()
    path.write_bytes(contents[: int(share * len(contents))])
    with pytest.raises(jaxdecay.DataError, match="or is damaged"):
        jaxdecay.data_from_file(path)
    middle = len(contents) // 2
    path.write_bytes(contents[:middle] + b"\0" * 64 + contents[middle + 64 :])
    with pytest.raises(jaxdecay.DataError, match="or is damaged"):
        jaxdecay.data_from_file(path)
    with pytest.raises(FileNotFoundError, match=r"data file .* does not exist"):
        jaxdecay.data_from_file(tmp_path / "none.npz")
