"""save and load: the same model back, or an error that says what is wrong with the file."""

import errno
import json
import os
import tracemalloc
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import npvae
from npvae.dense import Layer

LIKELIHOODS = st.one_of(
    st.just(npvae.Bernoulli()),
    st.floats(1e-3, 10).map(npvae.Gaussian),
    st.floats(1e-3, 10).map(npvae.HeteroscedasticGaussian),
    st.builds(npvae.LearnedGaussian, st.floats(1e-3, 10), st.booleans()),
    st.just(npvae.ContinuousBernoulli()),
    st.integers(2, 9).map(npvae.Categorical),
)
WIDTHS = st.lists(st.integers(1, 5), max_size=3).map(tuple)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def saved(tmp_path):
    vae = npvae.VAE.init(
        4, hidden=(3,), latent_dim=2, likelihood=npvae.Bernoulli(), rng=np.random.default_rng(0)
    )
    path = tmp_path / "vae.npz"
    vae.save(path)
    return path


def rewritten(path, *, header=None, drop=(), **arrays):
    """The file at path with its header updated, arrays dropped, arrays replaced."""
    with np.load(path) as file:
        stored = dict(file)
    if header is not None:
        stored["header"] = np.array(json.dumps(json.loads(str(stored["header"])) | header))
    for name in drop:
        del stored[name]
    stored |= {name.replace("__", "/"): array for name, array in arrays.items()}
    np.savez(path, **stored)
    return path


@given(
    hidden=WIDTHS,
    decoder_hidden=WIDTHS,
    likelihood=LIKELIHOODS,
    activation=st.sampled_from(sorted(npvae.ACTIVATIONS)),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_model_comes_back_as_it_was(
    folder, hidden, decoder_hidden, likelihood, activation, dtype, seed
):
    rng = np.random.default_rng(seed)
    vae = npvae.VAE.init(
        4,
        hidden=hidden,
        decoder_hidden=decoder_hidden,
        latent_dim=2,
        likelihood=likelihood,
        activation=activation,
        dtype=dtype,
        rng=rng,
    )
    for array in vae.params.arrays().values():
        array += rng.normal(size=array.shape).astype(dtype)
    vae.save(folder / "vae.npz")
    back = npvae.VAE.load(folder / "vae.npz")
    assert (back.likelihood, back.activation) == (likelihood, activation)
    arrays, back_arrays = vae.params.arrays(), back.params.arrays()
    assert arrays.keys() == back_arrays.keys()
    for name in arrays:
        assert arrays[name].dtype == back_arrays[name].dtype
        np.testing.assert_array_equal(arrays[name], back_arrays[name])
    x = rng.integers(0, 2, (3, 4))
    np.testing.assert_array_equal(vae.encode(x), back.encode(x))


def test_a_loaded_model_can_be_trained(saved):
    vae = npvae.VAE.load(saved)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (20, 4))
    (epoch,) = npvae.train(vae, x, epochs=1, optimizer=npvae.Adam(), rng=rng)
    assert np.isfinite(epoch.elbo)


def test_arrays_in_column_order_are_read(saved):
    """Another program may write them so; training needs rows."""
    vae = npvae.VAE.load(saved)
    W = np.asfortranarray(vae.params.encoder[0].W)
    back = npvae.VAE.load(rewritten(saved, encoder__0__W=W))
    np.testing.assert_array_equal(back.params.encoder[0].W, W)
    assert back.params.encoder[0].W.flags.c_contiguous


def test_saving_leaves_no_other_file_and_needs_no_suffix(tmp_path, saved):
    vae = npvae.VAE.load(saved)
    vae.save(str(tmp_path / "model"))
    vae.save(tmp_path / "model")
    assert sorted(os.listdir(tmp_path)) == ["model", "vae.npz"]
    npvae.VAE.load(str(tmp_path / "model"))


def test_what_load_would_refuse_is_not_saved(saved):
    before = saved.read_bytes()
    vae = npvae.VAE.load(saved)
    vae.params.decoder[0].W[1, 0] = np.inf
    with pytest.raises(ValueError, match=r"cannot save to .*: decoder/0/W holds NaN or inf"):
        vae.save(saved)
    assert saved.read_bytes() == before


def test_a_header_that_load_would_refuse_is_not_saved(saved):
    """That of a model which standardises many columns."""
    before, D = saved.read_bytes(), 9000
    scaled = npvae.Standardized(npvae.ColumnGaussian(), np.full(D, 1 / 3), np.full(D, 1 / 3))
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(D, hidden=(), latent_dim=1, likelihood=scaled, rng=rng)
    with pytest.raises(ValueError, match=r"cannot save to .*letters; at most 262,144 are read"):
        vae.save(saved)
    assert saved.read_bytes() == before


def test_a_failed_save_keeps_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()
    vae = npvae.VAE.load(saved)

    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="no space left"):
        vae.save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["vae.npz"]


def test_the_old_file_stays_until_the_new_one_is_whole(saved, monkeypatch):
    before = saved.read_bytes()
    vae = npvae.VAE.load(saved)
    vae.params.encoder[0].W[:] = 7

    def power_cut(partial, path):
        assert npvae.VAE.load(partial).params.encoder[0].W[0, 0] == 7
        raise OSError("cut before the rename")

    monkeypatch.setattr(os, "replace", power_cut)
    with pytest.raises(OSError, match="cut before the rename"):
        vae.save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["vae.npz"]


def test_a_dead_process_of_the_same_number_is_no_hindrance(saved, monkeypatch):
    """As in a container, where every process has the number 1."""
    vae = npvae.VAE.load(saved)

    def killed(partial, path):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    monkeypatch.setattr(Path, "unlink", lambda self, missing_ok: None)  # no chance to clean up
    with pytest.raises(KeyboardInterrupt):
        vae.save(saved)
    monkeypatch.undo()
    (left,) = set(os.listdir(saved.parent)) - {"vae.npz"}
    vae.save(saved)
    assert left in os.listdir(saved.parent)  # it might be another process's, at work
    os.utime(saved.parent / left, (0, 0))
    vae.save(saved)
    assert os.listdir(saved.parent) == ["vae.npz"]


def test_threads_may_save_to_one_path(saved):
    models = [npvae.VAE.load(saved) for _ in range(8)]
    for i, vae in enumerate(models):
        vae.params.encoder[0].b[:] = i
    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            list(pool.map(lambda vae: vae.save(saved), models))
    assert npvae.VAE.load(saved).params.encoder[0].b[0] in range(8)
    assert os.listdir(saved.parent) == ["vae.npz"]


@pytest.mark.skipif(os.name == "nt", reason="modes and links as POSIX has them")
def test_a_link_is_followed_and_a_mode_kept(saved):
    vae = npvae.VAE.load(saved)
    saved.chmod(0o600)
    link = saved.parent / "latest"
    link.symlink_to(saved)
    vae.params.encoder[0].b[:] = 7
    vae.save(link)
    assert link.is_symlink()
    assert saved.stat().st_mode & 0o777 == 0o600
    assert npvae.VAE.load(saved).params.encoder[0].b[0] == 7
    usual = saved.parent / "usual"
    usual.touch()
    vae.save(saved.parent / "new")
    assert (saved.parent / "new").stat().st_mode == usual.stat().st_mode


@pytest.mark.skipif(os.name == "nt", reason="modes as POSIX has them")
def test_a_private_file_is_never_readable_while_it_is_written(saved, monkeypatch):
    vae = npvae.VAE.load(saved)
    saved.chmod(0o600)
    savez, modes = np.savez, []

    def watched(file, **arrays):
        modes.append(os.fstat(file.fileno()).st_mode & 0o777)
        savez(file, **arrays)

    monkeypatch.setattr(np, "savez", watched)
    vae.save(saved)
    assert modes == [0o600]


def test_a_long_name_is_a_name(saved):
    path = saved.with_name("v" * 250)
    npvae.VAE.load(saved).save(path)
    assert npvae.VAE.load(path).data_dim == 4


def test_a_full_disk_is_told_with_the_path(saved, monkeypatch):
    def full_disk(file, **arrays):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match=r"cannot save to .*vae\.npz: .*No space left") as told:
        npvae.VAE.load(saved).save(saved)
    assert told.value.errno == errno.ENOSPC


def test_a_model_that_does_not_fit_together_is_not_saved(saved, tmp_path):
    vae = npvae.VAE.load(saved)
    encoder, decoder, learned = vae.params
    wrong = {
        "encoder/1/W": [encoder[0], Layer(np.ones((3, 5), np.float32), np.ones(5, np.float32))],
        "encoder/0/W": [Layer(encoder[0].W, np.ones(2, np.float32)), encoder[1]],
    }
    for name, layers in wrong.items():
        model = npvae.VAE(npvae.Params(layers, decoder, learned), vae.likelihood, "tanh")
        with pytest.raises(ValueError, match=f"cannot save to .*{name}"):
            model.save(tmp_path / "wrong.npz")
    assert not (tmp_path / "wrong.npz").exists()


class Own(npvae.Gaussian):
    """A likelihood that no file can bring along."""


def test_a_likelihood_of_ones_own_is_given_back_at_loading(saved):
    vae = npvae.VAE.load(saved)
    own = Own(0.3)
    npvae.VAE(vae.params, own, "tanh").save(saved)
    assert npvae.VAE.load(saved, likelihood=own).likelihood is own
    for wrong in ({}, {"likelihood": npvae.Gaussian(0.3)}):
        with pytest.raises(ValueError, match=r"its likelihood is \w+\.Own; expected"):
            npvae.VAE.load(saved, **wrong)


def test_a_compressed_bomb_is_refused_before_it_is_read(saved):
    with np.load(saved) as file:
        stored = dict(file)
    stored["encoder/0/W"] = np.zeros((4, 3_000_000), np.float32)
    np.savez_compressed(saved, **stored)
    assert saved.stat().st_size < 100_000
    tracemalloc.start()
    with pytest.raises(ValueError, match="its members are compressed"):
        npvae.VAE.load(saved)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_that_claims_to_be_small_is_refused_before_it_is_read(saved, method):
    """bzip2 and LZMA unpack all that is there, whatever size the archive claims."""
    bomb = b"x" * 30_000_000
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("bomb.npy", bomb, compress_type=method)
    claim, small = (size.to_bytes(4, "little") for size in (len(bomb), 100))
    saved.write_bytes(saved.read_bytes().replace(claim, small))
    assert saved.stat().st_size < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="its members are compressed"):
            npvae.VAE.load(saved)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_a_claim_beyond_the_file_is_refused(saved):
    with zipfile.ZipFile(saved) as archive:
        size = archive.getinfo("header.npy").file_size.to_bytes(4, "little")
    saved.write_bytes(saved.read_bytes().replace(size, b"\xff\xff\xff\x7f"))
    with pytest.raises(ValueError, match="claim to be larger than the file"):
        npvae.VAE.load(saved)


def test_two_members_of_one_name_are_refused(saved):
    """Which one counts? A scanner of files and NumPy may differ."""
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("encoder/0/W", archive.read("encoder/0/W.npy"))
    with pytest.raises(ValueError, match="two of its members have one name"):
        npvae.VAE.load(saved)


def test_a_header_of_endless_widths_is_refused_before_it_is_parsed(saved):
    path = rewritten(saved, header={"hidden": [1] * 200_000})
    with pytest.raises(ValueError, match=r"text of .* bytes; expected at most 1048576"):
        npvae.VAE.load(path)


def test_an_array_in_the_way_of_python_2_is_refused(saved):
    """NumPy would mend its header, and warn."""
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = members["encoder/0/b.npy"]
    members["encoder/0/b.npy"] = header.replace(b"), } ", b"L), }", 1).replace(b",L)", b"L,)", 1)
    assert members["encoder/0/b.npy"] != header
    with zipfile.ZipFile(saved, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="not an npz file"):
            npvae.VAE.load(saved)


def test_a_text_file_is_refused_without_advice_to_unpickle_it(tmp_path):
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(ValueError, match="not an npz file") as told:
        npvae.VAE.load(tmp_path / "notes.txt")
    assert "pickle" not in str(told.value)


def test_a_file_that_may_not_be_read_is_not_called_damaged(saved, monkeypatch):
    def locked(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(saved))

    monkeypatch.setattr("builtins.open", locked)
    with pytest.raises(PermissionError, match=r"Permission denied: .*vae\.npz"):
        npvae.VAE.load(saved)


def test_npvaes_own_likelihood_is_never_overridden(saved):
    vae = npvae.VAE.load(saved)
    npvae.VAE(vae.params, npvae.Gaussian(0.3), "tanh").save(saved)
    assert npvae.VAE.load(saved, likelihood=npvae.Gaussian(0.3)).likelihood == npvae.Gaussian(0.3)
    for other in (npvae.Gaussian(0.5), npvae.Bernoulli(), npvae.Gaussian, "Gaussian"):
        with pytest.raises(
            ValueError, match=r"has the likelihood Gaussian\(sigma=0\.3\); .* passed"
        ):
            npvae.VAE.load(saved, likelihood=other)


def test_a_deep_header_is_refused(saved):
    with np.load(saved) as file:
        stored = dict(file) | {"header": np.array("[" * 100_000)}
    np.savez(saved, **stored)
    with pytest.raises(ValueError, match="has no npvae header"):
        npvae.VAE.load(saved)


def test_a_member_that_is_no_array_is_refused(saved):
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("notes.txt", "no array")
    with pytest.raises(ValueError, match="truncated or not an npz"):
        npvae.VAE.load(saved)


def test_a_folder_is_not_written_over(saved):
    folder = saved.parent / "models"
    folder.mkdir()
    with pytest.raises(IsADirectoryError, match=r"cannot save to .*/models: it is a folder"):
        npvae.VAE.load(saved).save(folder)
    assert sorted(os.listdir(saved.parent)) == ["models", "vae.npz"]
    assert os.listdir(folder) == []


def test_no_pickle_is_ever_read(saved):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("code from a file was run",))

    path = rewritten(saved, encoder__0__W=np.array([Bomb()], dtype=object))
    with pytest.raises(ValueError, match="an array of object; expected floats"):
        npvae.VAE.load(path)


def test_missing_files_and_folders(tmp_path, saved):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*absent\.npz"):
        npvae.VAE.load(tmp_path / "absent.npz")
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*absent"):
        npvae.VAE.load(saved).save(tmp_path / "absent" / "vae.npz")


@given(length=st.integers(0, 5000))
@settings(max_examples=200)
def test_a_truncated_file_is_refused(folder, length):
    path = folder / "whole.npz"
    if not path.exists():
        rng = np.random.default_rng(0)
        npvae.VAE.init(4, hidden=(3,), likelihood=npvae.Bernoulli(), rng=rng).save(path)
    whole = path.read_bytes()
    cut = folder / "cut.npz"
    cut.write_bytes(whole[: min(length, len(whole) - 1)])
    with pytest.raises(ValueError, match=r"cut\.npz is truncated or not an npz file"):
        npvae.VAE.load(cut)


@given(content=st.binary(max_size=300))
def test_any_other_bytes_are_refused(folder, content):
    path = folder / "bytes.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bytes\.npz"):
        npvae.VAE.load(path)


def test_a_lone_array_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(ValueError, match="not an npz"):
        npvae.VAE.load(tmp_path / "a.npy")


def test_a_flipped_bit_is_noticed(saved):
    with zipfile.ZipFile(saved) as archive:
        info = archive.getinfo("encoder/0/W.npy")
    content = bytearray(saved.read_bytes())
    content[info.header_offset + 30 + len(info.filename) + 140] ^= 1
    saved.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="truncated or not an npz"):
        npvae.VAE.load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drop": ["header"]}, "has no npvae header"),
        ({"header": {"format": "other"}}, "has no npvae header"),
        ({"header": {"version": 2}}, "format version 2; this npvae reads version 1"),
        ({"header": {"activation": "swish"}}, "damaged header: activation is 'swish'"),
        ({"header": {"likelihood": "Cauchy"}}, "damaged header: .*Cauchy"),
        ({"header": {"likelihood_options": {"scale": 1}}}, "damaged header: .*scale"),
        ({"header": {"colour": 1}}, "damaged header: .*colour"),
        ({"header": {"hidden": None}}, "damaged header: hidden is None"),
        ({"header": {"data_dim": 10**13}}, r"its header says float32 \(10000000000000, 3\)"),
        ({"header": {"data_dim": 10**30}}, "its header says float32"),
        ({"header": {"hidden": [True]}}, "damaged header: hidden"),
        ({"header": {"dtype": "object"}}, "damaged header: dtype is 'object'"),
        ({"header": {"likelihood": ["Bernoulli"]}}, "damaged header: "),
        ({"header": {"likelihood_options": 3}}, "damaged header: "),
        ({"header": {"latent_dim": 3}}, "encoder/1/W is float32.*its header says"),
        ({"header": {"dtype": "float64"}}, r"encoder/0/W is float32 \(4, 3\).*float64 \(4, 3\)"),
        ({"drop": ["decoder/1/b"]}, "has no array 'decoder/1/b'"),
        ({"encoder__0__W": np.zeros((4, 2), np.float32)}, r"\(4, 2\); its header says .*\(4, 3\)"),
        ({"encoder__0__b": np.full(3, np.nan, np.float32)}, "encoder/0/b holds NaN or inf"),
        ({"encoder__9__b": np.zeros(3)}, "unknown arrays: encoder/9/b"),
    ],
)
def test_a_damaged_file_is_refused_with_the_reason(saved, change, message):
    with pytest.raises(ValueError, match=message):
        npvae.VAE.load(rewritten(saved, **change))


def test_a_header_that_is_no_json_is_refused(saved):
    with np.load(saved) as file:
        stored = dict(file)
    for header in (np.array("{"), np.array("[1]"), np.array(3.0), np.zeros(4)):
        np.savez(saved, **stored | {"header": header})
        with pytest.raises(ValueError, match="has no npvae header"):
            npvae.VAE.load(saved)
