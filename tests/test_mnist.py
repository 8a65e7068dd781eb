"""The IDX reader against every kind of bytes, and load_mnist against every kind of day."""

import functools
import gzip
import hashlib
import http.server
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equations import ROOT
from npvae.datasets import load_mnist, mnist, read_idx

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def small_mnist(rows=2, columns=3):
    """The four files in miniature: 5 images to train on, 4 to test on."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(256, size=(5, rows, columns)),
        rng.integers(10, size=5),
        rng.integers(256, size=(4, rows, columns)),
        rng.integers(10, size=4),
    ]
    return dict(zip(NAMES, arrays, strict=True))


def write(directory, arrays, gzipped=True):
    directory.mkdir(exist_ok=True)
    for name, array in arrays.items():
        if gzipped:
            (directory / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
        else:
            (directory / name).write_bytes(idx_bytes(array))
    return directory


@pytest.mark.parametrize("white", [1, 16, 127])
def test_levels_far_below_255_are_not_divided_by_it_in_silence(tmp_path, white):
    arrays = small_mnist()
    arrays[NAMES[2]] = arrays[NAMES[2]] * 0 + white
    write(tmp_path / "mnist", arrays)
    with pytest.raises(ValueError, match=rf"{NAMES[2]}.* largest entry is {white}.*dtype=np.uint8"):
        load_mnist(tmp_path / "mnist")
    assert load_mnist(tmp_path / "mnist", dtype=np.uint8).test.max() == white


def assert_equal_datasets(data, arrays):
    train, train_labels, test, test_labels = arrays.values()
    np.testing.assert_array_equal(data.train, train.reshape(5, -1).astype(np.float32) / 255)
    np.testing.assert_array_equal(data.train_labels, train_labels)
    np.testing.assert_array_equal(data.test, test.reshape(4, -1).astype(np.float32) / 255)
    np.testing.assert_array_equal(data.test_labels, test_labels)


# --- the IDX reader ---


@st.composite
def nearly_idx(draw):
    """A sound IDX file, whole or with something wrong, plain or gzipped."""
    ndim = draw(st.sampled_from([1, 1, 3, 3, 2, 0]))
    shape = draw(st.lists(st.integers(0, 4), min_size=ndim, max_size=ndim))
    size = int(np.prod(shape))
    data = bytes([0, 0, draw(st.sampled_from([8, 8, 8, 9, 13])), ndim])
    data += struct.pack(f">{ndim}I", *shape) + draw(st.binary(min_size=size, max_size=size))
    data = draw(damaged(data))
    if draw(st.booleans()):
        data = draw(damaged(gzip.compress(data)))
    return data


@st.composite
def damaged(draw, data):
    """data as it is, or cut, or with other bytes in it or after it."""
    cut = draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))
    data = bytearray(data[:cut]) + draw(st.one_of(st.just(b""), st.binary(max_size=3)))
    if data and draw(st.booleans()):
        at = draw(st.integers(0, len(data) - 1))
        data[at] = draw(st.one_of(st.just(data[at]), st.integers(0, 255)))
    return bytes(data)


def parsed(data, ndim):
    """The array that data hold, read in the plainest way, or None if they hold none."""
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return None
    header = 4 + 4 * ndim
    if len(data) < header or data[:4] != bytes([0, 0, 8, ndim]):
        return None
    shape = struct.unpack(f">{ndim}I", data[4:header])
    entries = list(data[header:])
    if 0 in shape or functools.reduce(int.__mul__, shape) != len(entries):
        return None
    return np.array(entries).reshape(shape)


@given(data=st.one_of(st.binary(), nearly_idx()), ndim=st.sampled_from([1, 3]))
def test_any_bytes_give_the_right_array_or_a_value_error(data, ndim, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any-bytes"
    path.write_bytes(data)
    expected = parsed(data, ndim)
    if expected is None:
        with pytest.raises(ValueError, match="any-bytes is not a valid IDX file"):
            read_idx(path, ndim, np.uint8)
    else:
        array = read_idx(path, ndim, np.uint8)
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected)


CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize(("kind", "code"), CODES.items())
@pytest.mark.parametrize("shape", [(7,), (2, 3), (2, 1, 3, 2)])
def test_every_type_and_shape_is_read(tmp_path, kind, code, shape, compress):
    array = np.random.default_rng(0).integers(0, 100, shape).astype(kind) - np.array(3, kind)
    header = bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    path = tmp_path / "data"
    path.write_bytes(compress(header + array.astype(f">{kind}").tobytes()))
    for choices in ((), (len(shape),), (None, kind), (len(shape), kind)):
        back = read_idx(path, *choices)
        assert back.dtype == array.dtype  # the machine's own order of bytes
        np.testing.assert_array_equal(back, array)
    with pytest.raises(ValueError, match=r"magic number '.*'; expected '0000..07'"):
        read_idx(path, 7)
    other = np.int16 if kind != "i2" else np.int32
    with pytest.raises(ValueError, match=r"magic number '.*'; expected '00000[bc]NN'$"):
        read_idx(path, None, other)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"magic number ''; expected '00000803'"),
        (bytes([0, 0, 8, 3, 0, 0]), r"2 bytes of sizes; expected 12"),
        (idx_bytes(np.zeros((1, 1, 1, 1))), r"magic number '00000804'; expected '00000803'"),
        (idx_bytes(np.zeros((2, 0, 3))), r"sizes 2 x 0 x 3; expected sizes >= 1"),
        (idx_bytes(np.zeros((2, 2, 3)))[:-1], r"11 bytes after .* 2 x 2 x 3 = 12 bytes"),
        (idx_bytes(np.zeros((2, 2, 3))) + b"\0", r"more after .* 2 x 2 x 3 = 12 bytes"),
    ],
)
def test_the_error_says_what_was_expected_and_what_came(tmp_path, data, message, compress):
    path = tmp_path / "images"
    path.write_bytes(compress(data))
    with pytest.raises(ValueError, match=rf"images is not a valid IDX file: {message}"):
        read_idx(path, 3, np.uint8)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-9], "end-of-stream"),
        (lambda data: data[:-8] + bytes(8), "CRC"),
        (lambda data: data[:10] + b"\xff" * 20, "Error -3"),
    ],
)
def test_a_damaged_gzip_is_a_value_error(tmp_path, damage, message):
    path = tmp_path / "images"
    path.write_bytes(damage(gzip.compress(idx_bytes(np.ones((2, 3, 3))))))
    with pytest.raises(ValueError, match=rf"images is not a valid IDX file: .*{message}"):
        read_idx(path, 3, np.uint8)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_header_that_claims_more_than_the_file_can_hold_is_refused_unread(tmp_path, compress):
    path = tmp_path / "images"
    path.write_bytes(
        compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", 1 << 20, 1 << 10, 8) + bytes(4 << 20))
    )
    tracemalloc.start()
    try:
        with pytest.raises(
            ValueError, match=r"1048576 x 1024 x 8 = \d+ bytes, in a file that holds"
        ):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_numbers_are_turned_round_where_they_are(tmp_path):
    path = tmp_path / "numbers"
    path.write_bytes(bytes([0, 0, 14, 1]) + struct.pack(">I", 1 << 20) + bytes(8 << 20))
    tracemalloc.start()
    try:
        read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("ndim", "dtype", "message"),
    [
        (None, np.uint16, "dtype is .*uint16.*; expected one of uint8, int8, int16"),
        (0, None, "ndim is 0; expected an integer in 1 … 64"),
        (-1, None, "ndim is -1; expected an integer in 1 … 64"),
    ],
)
def test_what_no_idx_file_holds_cannot_be_asked_for(tmp_path, ndim, dtype, message):
    path = tmp_path / "images"
    path.write_bytes(idx_bytes(np.zeros(3)))
    with pytest.raises(ValueError, match=message):
        read_idx(path, ndim, dtype)


HUGE = bytes([0, 0, 8, 3]) + b"\xff" * 12
BOMB = bytes([0, 0, 8, 3]) + struct.pack(">3I", 1, 2, 2) + bytes(1 << 26)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("data", [HUGE, HUGE + bytes(100), BOMB], ids=["huge", "huge+", "bomb"])
def test_memory_is_bounded_by_what_is_there_and_what_is_claimed(tmp_path, data, compress):
    path = tmp_path / "images"
    path.write_bytes(compress(data))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="not a valid IDX file"):
            read_idx(path, 3, np.uint8)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


# --- folders ---


@pytest.mark.parametrize("gzipped", [True, False])
def test_a_folder_is_read_plain_or_gzipped(tmp_path, gzipped):
    arrays = small_mnist()
    data = load_mnist(write(tmp_path, arrays, gzipped))
    assert_equal_datasets(data, arrays)
    assert data.train.dtype == data.test.dtype == np.float32
    assert data.train_labels.dtype == data.test_labels.dtype == np.int64
    assert data.train.flags.writeable
    assert data.train_labels.flags.writeable


def test_a_plain_file_named_gz_is_read(tmp_path):
    arrays = small_mnist()
    for path in write(tmp_path, arrays, gzipped=False).iterdir():
        path.rename(f"{path}.gz")
    assert_equal_datasets(load_mnist(str(tmp_path)), arrays)


def test_pixels_span_the_unit_interval(tmp_path):
    arrays = small_mnist(1, 256)
    arrays[NAMES[0]][:] = np.arange(256)
    train = load_mnist(write(tmp_path, arrays)).train
    np.testing.assert_array_equal(train[0], (np.arange(256) / 255).astype(np.float32))


def test_levels_are_kept_as_the_files_hold_them(tmp_path):
    arrays = small_mnist()
    data = load_mnist(write(tmp_path, arrays), dtype=np.uint8)
    assert data.train.dtype == data.test.dtype == np.uint8
    np.testing.assert_array_equal(data.train, arrays[NAMES[0]].reshape(5, -1))
    np.testing.assert_array_equal(data.test, arrays[NAMES[2]].reshape(4, -1))
    with pytest.raises(ValueError, match="dtype is float64; expected float32 or uint8"):
        load_mnist(tmp_path, dtype=np.float64)


def test_the_argument_comes_before_the_environment(tmp_path, monkeypatch):
    arrays, others = small_mnist(), {name: a + 1 for name, a in small_mnist().items()}
    here, there = write(tmp_path / "here", arrays), write(tmp_path / "there", others)
    monkeypatch.setenv("NPVAE_DATA_DIR", str(there))
    np.testing.assert_array_equal(load_mnist().train_labels, others[NAMES[1]])
    np.testing.assert_array_equal(load_mnist(here).train_labels, arrays[NAMES[1]])


@pytest.mark.parametrize("source", ["data_dir", "NPVAE_DATA_DIR"])
@pytest.mark.parametrize("missing", NAMES[::2])
def test_a_named_folder_that_lacks_a_file_is_an_error(tmp_path, monkeypatch, source, missing):
    monkeypatch.setattr(mnist, "_fetch", lambda *_: pytest.fail("tried to download"))
    write(tmp_path, small_mnist())
    (tmp_path / f"{missing}.gz").unlink()
    monkeypatch.setenv("NPVAE_DATA_DIR", str(tmp_path))
    argument = tmp_path if source == "data_dir" else None
    with pytest.raises(FileNotFoundError) as error:
        load_mnist(argument)
    assert str(error.value) == (
        f"{source} is {str(tmp_path)!r}, which holds neither {missing} nor {missing}.gz"
    )


def test_images_need_no_labels(tmp_path):
    arrays = small_mnist(rows=2, columns=3)
    write(tmp_path, arrays)
    assert load_mnist(tmp_path).shape == (2, 3)
    (tmp_path / f"{NAMES[3]}.gz").unlink()
    data = load_mnist(tmp_path)
    assert data.test_labels is None
    np.testing.assert_array_equal(data.train_labels, arrays[NAMES[1]])


def test_a_named_folder_that_is_none_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "_fetch", lambda *_: pytest.fail("tried to download"))
    with pytest.raises(FileNotFoundError, match=r"data_dir is '.*absent', which is not a folder"):
        load_mnist(tmp_path / "absent")
    (tmp_path / "file").touch()
    monkeypatch.setenv("NPVAE_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(FileNotFoundError, match=r"NPVAE_DATA_DIR is '.*file', which is not a f"):
        load_mnist()


def test_labels_must_be_as_many_as_images(tmp_path):
    arrays = small_mnist()
    arrays[NAMES[3]] = arrays[NAMES[3]][:-1]
    with pytest.raises(
        ValueError, match=r"t10k-labels.* holds 3 labels; expected 4, .*t10k-images"
    ):
        load_mnist(write(tmp_path, arrays))


def test_test_images_must_have_as_many_pixels_as_those_to_train_on(tmp_path):
    arrays = small_mnist()
    arrays[NAMES[2]] = arrays[NAMES[2]][:, :, :-1]
    with pytest.raises(
        ValueError, match=r"t10k-.* images of 2 x 2 pixels; expected 2 x 3, as in .*train-"
    ):
        load_mnist(write(tmp_path, arrays))


def test_images_and_labels_exchanged_are_an_error(tmp_path):
    arrays = small_mnist()
    arrays[NAMES[0]], arrays[NAMES[1]] = arrays[NAMES[1]], arrays[NAMES[0]]
    with pytest.raises(
        ValueError, match=r"train-images.* magic number '00000801'; expected '00000803'"
    ):
        load_mnist(write(tmp_path, arrays))


# --- mirrors ---


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.gets.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        """Nothing: the output belongs to the tests."""


@contextmanager
def mirror(directory, kind=Handler):
    """An HTTP server of directory on this machine -> its address, and what was got from it."""
    handler = functools.partial(kind, directory=directory)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.gets = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", server.gets
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def silent_mirror():
    """A port that takes connections and says nothing -> its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@pytest.fixture
def dead():
    """The address of a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


@pytest.fixture
def files(tmp_path):
    """A folder that a mirror may serve, with the four files in miniature."""
    return write(tmp_path / "files", small_mnist())


@pytest.fixture
def download(tmp_path, files, monkeypatch):
    """load_mnist with an empty cache, the miniature's checksums and the mirrors given."""
    cache = tmp_path / "cache"
    sums = {n: hashlib.sha256((files / f"{n}.gz").read_bytes()).hexdigest() for n in NAMES}
    monkeypatch.setattr(mnist, "FILES", sums)
    monkeypatch.setattr("pooch.os_cache", lambda project: cache / project)
    monkeypatch.setenv("NPVAE_DATA_DIR", "")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def load(*mirrors):
        monkeypatch.setattr(mnist, "MIRRORS", mirrors)
        return load_mnist()

    load.cache = cache / "npvae"
    return load


def test_a_download_is_checked_cached_and_shown(download, files, capfd):
    with mirror(files) as (address, gets):
        assert_equal_datasets(download(address), small_mnist())
        assert gets == [f"/{name}.gz" for name in NAMES]
        assert "100%" in capfd.readouterr().err
        assert_equal_datasets(download(address), small_mnist())
        assert len(gets) == 4
    assert sorted(path.name for path in download.cache.iterdir()) == sorted(
        f"{name}.gz" for name in NAMES
    )


class HalfHandler(Handler):
    def do_GET(self):
        """Half a file, and then nothing until the client is gone."""
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 20))
        self.end_headers()
        self.wfile.write(bytes(1 << 19))
        self.rfile.read(1)


DOWNLOAD = """
import pathlib, sys
import pooch
from npvae.datasets import load_mnist, mnist
mnist.MIRRORS = (sys.argv[1],)
pooch.os_cache = lambda project: pathlib.Path(sys.argv[2])
load_mnist()
"""


def left_by_a_killed_download(address, cache):
    """The temporary file that is in the cache once its process is dead."""
    command = [sys.executable, "-c", DOWNLOAD, address, cache]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while not any(path.stat().st_size for path in cache.glob("*")):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            process.kill()
    (left,) = cache.iterdir()
    return left


def test_what_a_killed_download_left_is_removed(download, files):
    with mirror(files, HalfHandler) as (half, _):
        left = left_by_a_killed_download(half, download.cache)
    with mirror(files) as (address, _):
        download(address)
        assert left.exists()  # it might be another process's, at work
        os.utime(left, (0, 0))
        download(address)
    assert {path.name for path in download.cache.iterdir()} == {f"{name}.gz" for name in NAMES}


def test_a_cached_file_needs_no_mirror(download, files, dead):
    with mirror(files) as (address, _):
        download(address)
    assert_equal_datasets(download(dead), small_mnist())


@pytest.fixture
def bad_mirrors(dead, files, tmp_path, monkeypatch):
    """One mirror of each kind that cannot give the file NAMES[0] intact -> their addresses."""
    monkeypatch.setattr(mnist, "PATIENCE", 1)
    file = f"{NAMES[0]}.gz"
    for kind in ("lacking", "wrong", "cut"):
        (tmp_path / kind).mkdir()
    (tmp_path / "wrong" / file).write_bytes(b"<html>Sorry</html>")
    (tmp_path / "cut" / file).write_bytes((files / file).read_bytes()[:-1])
    with (
        silent_mirror() as silent,
        mirror(tmp_path / "lacking") as (lacking, _),
        mirror(tmp_path / "wrong") as (wrong, _),
        mirror(tmp_path / "cut") as (cut, _),
    ):
        yield {"dead": dead, "silent": silent, "lacking": lacking, "wrong": wrong, "cut": cut}


@pytest.mark.parametrize("kind", ["dead", "silent", "lacking", "wrong", "cut"])
def test_a_bad_mirror_gives_way_to_the_next(download, files, bad_mirrors, kind):
    with mirror(files) as (good, gets):
        download(good)
        (download.cache / f"{NAMES[0]}.gz").unlink()
        assert_equal_datasets(download(bad_mirrors[kind], good), small_mnist())
        assert gets[4:] == [f"/{NAMES[0]}.gz"]


@pytest.mark.parametrize("left", [b"", b"half of"])
def test_a_damaged_file_in_the_cache_is_replaced(download, files, left):
    with mirror(files) as (address, gets):
        download(address)
        (download.cache / f"{NAMES[2]}.gz").write_bytes(left)
        assert_equal_datasets(download(address), small_mnist())
        assert gets[4:] == [f"/{NAMES[2]}.gz"]


def test_when_all_mirrors_fail_one_error_says_how_and_what_to_do(download, bad_mirrors):
    start = time.monotonic()
    with pytest.raises(ConnectionError) as error:
        download(*bad_mirrors.values())
    assert time.monotonic() - start < 10
    first, *lines, advice = str(error.value).splitlines()
    assert first == f"{NAMES[0]}.gz could not be downloaded:"
    causes = {
        "dead": "ConnectionRefusedError: ",
        "silent": "TimeoutError: no answer within 1 seconds",
        "lacking": "HTTPError: 404",
        "wrong": "ValueError: SHA256 hash of downloaded file",
        "cut": "ValueError: SHA256 hash of downloaded file",
    }
    for line, address, cause in zip(lines, bad_mirrors.values(), causes.values(), strict=True):
        assert line.startswith(f"  {address}{NAMES[0]}.gz: {cause}")
    for remedy in ("data_dir", "NPVAE_DATA_DIR", "npvae.datasets.glyph_digits"):
        assert remedy in advice
    assert list(download.cache.iterdir()) == []


def test_a_mirror_that_refuses_is_not_asked_twice(dead):
    with pytest.raises(OSError, match="refused"):
        mnist._knock(dead + NAMES[0])


def test_the_published_files_have_three_mirrors():
    assert tuple(mnist.FILES) == NAMES
    assert len(mnist.MIRRORS) == 3
    assert all(m.startswith("https://") and m.endswith("/") for m in mnist.MIRRORS)


# --- the real files ---


def mnist_dir():
    directory = Path(os.environ.get("NPVAE_DATA_DIR") or "/nowhere")
    found = all(any(directory.glob(f"{name}*")) for name in NAMES)
    return directory if found else None


@pytest.mark.skipif(mnist_dir() is None, reason="NPVAE_DATA_DIR names no folder with MNIST")
def test_real_mnist():
    data = load_mnist(mnist_dir())
    assert data.train.shape == (60000, 784)
    assert data.test.shape == (10000, 784)
    assert data.train.mean() == pytest.approx(0.1306604, abs=1e-6)
    assert data.train.max() == 1
    assert data.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(data.test_labels).tolist() == [
        *(980, 1135, 1032, 1010, 982),
        *(892, 958, 1028, 974, 1009),
    ]
