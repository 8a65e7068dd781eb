"""MNIST, handwritten digits: four IDX files from a folder, the cache or a mirror."""

import contextlib
import os
import time
from concurrent import futures
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from .idx import read_idx, times

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
FILES = {  # images and labels to train on, then to test on; the SHA-256 of each, gzipped
    "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
PATIENCE = 4  # seconds for a mirror to answer: a dead network is given up on after three times that
STALL = 15  # seconds without a byte that end a download
STALE = 60  # seconds untouched: no download writes so rarely


class Dataset(NamedTuple):
    """Images as rows, and what they show: N to train on, N' to test on."""

    train: np.ndarray  # (N, D) float32 in [0, 1], or uint8 in [0, 255]
    train_labels: np.ndarray | None  # (N,) int64; None if a folder has no such file
    test: np.ndarray  # (N', D) likewise
    test_labels: np.ndarray | None  # (N',) int64
    shape: tuple[int, int] = (28, 28)  # rows, columns of an image, as npvae.plots takes them


def load_mnist(
    data_dir: str | os.PathLike | None = None, *, dtype: DTypeLike = np.float32
) -> Dataset:
    """MNIST as a Dataset: N = 60,000, N' = 10,000, D = 28·28 = 784, white ink on black.

    Read from data_dir, else from the folder that NPVAE_DATA_DIR names, else from the cache,
    pooch.os_cache("npvae"), after a download if need be; what a killed download left there is
    removed by the first load a minute later. A folder holds the four files under
    their published names, gzipped or plain; their contents are free: Fashion-MNIST, say, or
    images of another size, D = rows·columns; without the labels, if need be.
    dtype np.uint8 gives the grey levels as the files hold them, a quarter of the memory:
    `train` and a Bernoulli likelihood read them as levels / 255.
    Raises FileNotFoundError if a folder was named and lacks a file, ValueError if a file is
    damaged or does not fit the others, dtype is neither, or float32 is asked of levels that end
    at most half-way to 255, ConnectionError if no mirror gives a file.
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.uint8):
        raise ValueError(f"dtype is {dtype}; expected float32 or uint8")
    paths = _locate(data_dir)
    train, train_labels, shape = _read_split(*paths[:2], dtype=dtype)
    test, test_labels, test_shape = _read_split(*paths[2:], dtype=dtype)
    if test_shape != shape:
        raise ValueError(
            f"{paths[2]} has images of {times(test_shape)} pixels; "
            f"expected {times(shape)}, as in {paths[0]}"
        )
    return Dataset(train, train_labels, test, test_labels, shape)


def _locate(data_dir):
    if data_dir is not None:
        return [_find(name, Path(data_dir), "data_dir") for name in FILES]
    if data_dir := os.environ.get("NPVAE_DATA_DIR"):
        return [_find(name, Path(data_dir), "NPVAE_DATA_DIR") for name in FILES]
    import pooch  # here, and not above, to keep `import npvae` light

    cache = pooch.os_cache("npvae")
    _remove_stale(cache)
    return [_fetch(name, FILES[name], cache, MIRRORS) for name in FILES]


def _remove_stale(cache):
    """Remove pooch's temporary files that downloads left there when they were killed."""
    for left in cache.glob("tmp*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE:
                left.unlink()


def _find(name, directory, source):
    for path in (directory / name, directory / f"{name}.gz"):
        if path.is_file():
            return path
    if directory.is_dir() and "labels" in name:
        return None
    reason = f"holds neither {name} nor {name}.gz" if directory.is_dir() else "is not a folder"
    raise FileNotFoundError(f"{source} is {str(directory)!r}, which {reason}")


def _fetch(name, sha256, cache, mirrors):
    """The path of a file in the cache, downloaded from the first mirror that gives it intact."""
    import pooch

    name += ".gz"
    failures = []
    for mirror in mirrors:
        try:
            return pooch.retrieve(mirror + name, sha256, name, cache, downloader=_download)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            failures.append(f"  {mirror}{name}: {_root_cause(error)}")
    raise ConnectionError(
        f"{name} could not be downloaded:\n" + "\n".join(failures) + "\n"
        "Pass data_dir, or set NPVAE_DATA_DIR, to a folder that holds the four files of MNIST; "
        "or use npvae.datasets.glyph_digits, which needs no download."
    )


def _download(url, output_file, pooch_):
    """pooch's downloader, once the mirror has answered."""
    import pooch

    _knock(url)
    download = pooch.HTTPDownloader(progressbar=True, chunk_size=1 << 16, timeout=STALL)
    download(url, output_file, pooch_)


def _knock(url):
    """Raise OSError unless the mirror answers within PATIENCE seconds.

    In a thread of its own, because no time-out of a socket bounds the wait: looking up the
    name has its own, and each address of a host waits anew.
    """
    import pooch

    answer = futures.Future()

    def ask():
        try:
            head = pooch.HTTPDownloader(timeout=STALL)
            answer.set_result(head(url, None, None, check_only=True))
        except Exception as error:
            answer.set_exception(error)

    Thread(target=ask, daemon=True).start()
    futures.wait([answer], PATIENCE)
    if not answer.done():
        raise TimeoutError(f"no answer within {PATIENCE} seconds")
    answer.result()  # raises what ask met


def _root_cause(error):
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {error}"


def _require_white(path, levels):
    """Raise ValueError if what would be divided by 255 may be zeros and ones, or 0 … 16."""
    from ..likelihoods._support import check_grey_levels  # a likelihood reads no files

    keep = "load it with dtype=np.uint8 and divide by np.float32({high})"
    check_grey_levels(str(path), levels, 255, keep)


def _read_split(images_path, labels_path, *, dtype):
    levels = read_idx(images_path, 3, np.uint8)
    shape = levels.shape[1:]
    labels = labels_path and read_idx(labels_path, 1, np.uint8).astype(np.int64)
    if labels is not None and len(labels) != len(levels):
        raise ValueError(
            f"{labels_path} holds {len(labels)} labels; "
            f"expected {len(levels)}, one for each image of {images_path}"
        )
    levels = levels.reshape(len(levels), -1)
    if dtype != np.uint8:
        _require_white(images_path, levels)
    return levels if dtype == np.uint8 else levels / np.float32(255), labels, shape
