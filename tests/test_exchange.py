"""Models of other libraries come in, npvae's go out, and compute the same on both sides."""

import importlib
import json
import os
import struct
import tracemalloc
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npvae
from models import LIKELIHOODS, make_batch, make_vae
from npvae.__main__ import main
from npvae.storage import exchange, naming, protobuf, safetensors
from npvae.storage.command import parse_likelihood

TABLES = {
    "column gaussian": npvae.ColumnGaussian(0.5),
    "student": npvae.StudentT(),
    "poisson": npvae.Poisson(),
    "negative binomial": npvae.NegativeBinomial(),
    "categories": npvae.Categorical(3, whole=True),
    "standardized": npvae.Standardized(npvae.StudentT(), (0.1, -2, 3, 0.5), (2, 0.5, 1, 10)),
}
TABLES["product"] = npvae.Product(
    [
        ([3], npvae.Bernoulli()),
        ([2, 0], npvae.Categorical(3, whole=True)),
        ([1], npvae.Standardized(npvae.ColumnGaussian(), (3,), (2,))),
    ]
)
TABLES["holes"] = npvae.Holes(TABLES["product"])
ALL = LIKELIHOODS | TABLES
BERNOULLI = {"likelihood": npvae.Bernoulli(), "activation": "relu"}
NAMES = {"encoder": ["enc", ("mu", "lv")], "decoder": ["a", "b", "out"]}


def assert_same(ours, theirs):
    assert (ours.likelihood, ours.activation) == (theirs.likelihood, theirs.activation)
    ours, theirs = ours.params.arrays(), theirs.params.arrays()
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name, strict=True)


def small(likelihood="learned gaussian", **options):
    return make_vae(ALL[likelihood], **({"dtype": np.float32} | options))


def pytorch_example(D=12, H=8, Z=3, dtype=np.float32):
    """A state dict as PyTorch's VAE example has it, weights (out, in)."""
    rng = np.random.default_rng(2)
    shapes = {"fc1": (H, D), "fc21": (Z, H), "fc22": (Z, H), "fc3": (H, Z), "fc4": (D, H)}
    state = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = rng.normal(0, 0.5, shape).astype(dtype)
        state[f"{name}.bias"] = rng.normal(0, 0.5, shape[0]).astype(dtype)
    return state


def linear(state, name, x):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def example_encode(state, x):
    hidden = np.maximum(linear(state, "fc1", x), 0)
    return linear(state, "fc21", hidden), linear(state, "fc22", hidden)


def example_decode(state, z):
    return 1 / (1 + np.exp(-linear(state, "fc4", np.maximum(linear(state, "fc3", z), 0))))


# safetensors


def file_of(header, numbers=b"", *, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + numbers


ARRAYS = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name != "__metadata__"),
    st.tuples(
        st.sampled_from([np.float16, np.float32, np.float64]),
        st.lists(st.integers(0, 3), max_size=3).map(tuple),
    ),
    max_size=4,
)


@given(forms=ARRAYS, metadata=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2))
def test_the_safetensors_package_reads_ours_and_ours_reads_its(tmp_path_factory, forms, metadata):
    theirs = pytest.importorskip("safetensors")
    numpy = pytest.importorskip("safetensors.numpy")
    path = tmp_path_factory.mktemp("st") / "a.safetensors"
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=shape).astype(dtype) for name, (dtype, shape) in forms.items()}
    safetensors.write(path, metadata, arrays)
    with theirs.safe_open(path, "np") as file:
        assert (file.metadata() or {}) == metadata
    read = numpy.load_file(path)
    numpy.save_file(arrays, path, metadata or None)  # it writes an empty one wrongly
    assert safetensors.read(path)[0] == metadata
    for found in (read, safetensors.read(path)[1]):
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.mark.parametrize("note", ["", "1", "12", "π"])
def test_numbers_are_aligned_and_the_widest_come_first(tmp_path, note):
    path = tmp_path / "a.safetensors"
    arrays = {"h": np.ones(3, np.float16), "d": np.ones(2), "f": np.ones(1, ">f4")}
    safetensors.write(path, {"note": note}, arrays)
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    assert length % 8 == 0
    assert [header[name]["data_offsets"] for name in "dfh"] == [[0, 16], [16, 20], [20, 26]]
    assert content[8 + length + 16 :] == struct.pack("<f3e", 1, 1, 1, 1)


def test_bf16_is_read_exactly(tmp_path):
    path = tmp_path / "a.safetensors"
    numbers = struct.pack("<4H", 0x3F80, 0xC049, 0x0001, 0x7F7F)
    path.write_bytes(file_of({"w": entry("BF16", [2, 2], 0, 8)}, numbers))
    read = safetensors.read(path)[1]["w"]
    assert read.dtype == np.float32
    assert read.tolist() == [[1, -3.140625], [2.0**-133, (2 - 2.0**-7) * 2.0**127]]


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


F4 = bytes(8)
REFUSED = {
    "an empty file": (b"", "a header of 0 bytes in a file of 0"),
    "a header beyond the file": (file_of({}, length=99), "a header of 99 bytes in a file of 10"),
    "a huge header": (file_of({}, length=2**63), "a header of 9223372036854775808 bytes"),
    "space first": (file_of(b" {}"), "does not begin with {"),
    "no text": (file_of(b"{\xff}"), "can't decode byte 0xff"),
    "no JSON": (file_of(b"{'a': 1}"), "property name"),
    "a deep header": (file_of(b'{"a":' * 5000), "recursion|property|Expecting"),
    "two of a name": (file_of(b'{"a": 1, "a": 1}'), "two of its entries have one name"),
    "NaN in the header": (file_of(b'{"a": NaN}'), "NaN in its header"),
    "metadata that is no text": (file_of({"__metadata__": {"a": 1}}), "more than text by name"),
    "metadata that is a list": (file_of({"__metadata__": []}), "more than text by name"),
    "a hole": (
        file_of({"w": entry("F32", [1], 4, 8)}, F4),
        "a hole before w, .* at 4 and not at 0",
    ),
    "an overlap": (
        file_of({"v": entry("F32", [1], 0, 4), "w": entry("F32", [1], 2, 6)}, F4),
        "an overlap at w, which begins at 2 and not at 4",
    ),
    "numbers left over": (file_of({"w": entry("F32", [1], 0, 4)}, F4), "8 bytes of numbers; .* 4"),
    "numbers missing": (file_of({"w": entry("F32", [4], 0, 16)}, F4), "8 bytes of numbers; .* 16"),
    "too few bytes": (file_of({"w": entry("F32", [2], 0, 4)}, F4), "w needs 8 bytes"),
    "a negative size": (file_of({"w": entry("F32", [-1, -2], 0, 8)}, F4), "that are no sizes"),
    "True for 1": (file_of({"w": entry("F64", [True], 0, 8)}, F4), "that are no sizes"),
    "1.0 for 1": (file_of({"w": entry("F64", [1.0], 0, 8)}, F4), "that are no sizes"),
    "many axes": (file_of({"w": entry("F64", [1] * 40, 0, 8)}, F4), "that are no sizes"),
    "a size of no array": (file_of({"w": entry("F64", [0, 10**30], 0, 0)}), "not a safetensors"),
    "integers": (file_of({"w": entry("I64", [1], 0, 8)}, F4), "w holds I64; expected one of F64"),
    "a dtype that is a list": (file_of({"w": entry([], [1], 0, 8)}, F4), r"w holds \[\]"),
    "an unknown field": (
        file_of({"w": entry("F64", [1], 0, 8) | {"x": 1}}, F4),
        "w is not described by dtype, shape and data_offsets",
    ),
    "an entry that is a list": (file_of({"w": []}), "w is not described"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_a_file_against_the_specification_is_refused(tmp_path, content, message):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"(?s)a\.safetensors is truncated .*({message})"):
        safetensors.read(path)


# npvae's own models


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pt"])
@pytest.mark.parametrize("likelihood", ALL)
def test_a_model_comes_back_as_it_was(tmp_path, likelihood, suffix):
    if suffix == ".pt":
        pytest.importorskip("torch")
    for dtype in (np.float32, np.float64):
        vae = small(likelihood, dtype=dtype, activation="leaky_relu")
        assert exchange.save(vae, tmp_path / f"vae{suffix}") == [tmp_path / f"vae{suffix}"]
        assert_same(vae, exchange.load(tmp_path / f"vae{suffix}"))
    assert os.listdir(tmp_path) == [f"vae{suffix}"]


def test_the_whole_way_round_computes_the_same(tmp_path):
    """npvae → safetensors → a module of PyTorch → its state dict → npvae."""
    torch = pytest.importorskip("torch")
    load_file = pytest.importorskip("safetensors.torch").load_file
    vae = make_vae(activation="tanh", dtype=np.float32)
    exchange.save(vae, tmp_path / "vae.safetensors")
    nn = torch.nn
    module = nn.ModuleDict(
        {
            "encoder": nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 4)),
            "decoder": nn.Sequential(
                *(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 4))
            ),
        }
    )
    module.load_state_dict(load_file(tmp_path / "vae.safetensors"), strict=True)
    x, _ = make_batch(vae)
    with torch.no_grad():
        mu, logvar = module["encoder"](torch.tensor(x)).chunk(2, -1)
        mean = torch.sigmoid(module["decoder"](mu))
    for ours, theirs in zip((*vae.encode(x), vae.reconstruct(x)), (mu, logvar, mean), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-6)

    torch.save(module.state_dict(), tmp_path / "vae.pt")
    choices = {"likelihood": vae.likelihood, "activation": "tanh"}
    assert_same(vae, exchange.load(tmp_path / "vae.pt", **choices))
    exchange.save(vae, tmp_path / "vae.pt")
    state = torch.load(tmp_path / "vae.pt", weights_only=True)
    module.load_state_dict(state, strict=True)  # the header in it does not mind


def test_what_the_file_says_may_be_said_and_not_contradicted(tmp_path):
    path = tmp_path / "vae.safetensors"
    vae = small()
    exchange.save(vae, path)
    assert_same(vae, exchange.load(path, likelihood=vae.likelihood, activation="tanh"))
    with pytest.raises(ValueError, match=r"has the likelihood LearnedGaussian.* was passed"):
        exchange.load(path, likelihood=npvae.Bernoulli())
    for suffix in (".safetensors", ".npz"):
        exchange.save(vae, path.with_suffix(suffix))
        with pytest.raises(ValueError, match="has the activation tanh; relu was passed"):
            exchange.load(path.with_suffix(suffix), activation="relu")


def test_a_header_that_contradicts_the_arrays_is_refused(tmp_path):
    path = tmp_path / "vae.safetensors"
    exchange.save(small(), path)
    metadata, arrays = safetensors.read(path)
    for key, value, message in (
        ("hidden", [4], r"encoder/0/W is float32 \(4, 3\); its header says float32 \(4, 4\)"),
        ("likelihood", "Bernoulli", "damaged header"),
        ("version", 7, "has format version 7; this npvae reads version 1"),
        ("format", "other", "has no npvae header"),
    ):
        header = json.loads(metadata["npvae"]) | {key: value}
        safetensors.write(path, {"npvae": json.dumps(header)}, arrays)
        with pytest.raises(ValueError, match=message):
            exchange.load(path)


@pytest.mark.parametrize("data_dim", [10**7, 10**13])
def test_a_header_of_more_data_than_the_file_holds_is_refused_at_once(tmp_path, data_dim):
    """A width a column is learned, which is made before its shape is compared."""
    path = tmp_path / "vae.safetensors"
    exchange.save(small("column gaussian"), path)
    metadata, arrays = safetensors.read(path)
    header = json.loads(metadata["npvae"]) | {"data_dim": data_dim}
    safetensors.write(path, {"npvae": json.dumps(header)}, arrays)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=rf"its header says float32 .{data_dim}, 3."):
            exchange.load(path)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_another_programs_rounding_to_half_is_read(tmp_path):
    path = tmp_path / "vae.safetensors"
    vae = small("bernoulli")
    exchange.save(vae, path)
    metadata, arrays = safetensors.read(path)
    safetensors.write(path, metadata, {n: a.astype(np.float16) for n, a in arrays.items()})
    half = exchange.load(path)
    assert half.dtype == np.float32
    for name, array in vae.params.arrays().items():
        expected = array.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(half.params.arrays()[name], expected)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".onnx"])
def test_a_model_that_does_not_fit_together_is_not_written(tmp_path, suffix):
    encoder, decoder, learned = small("bernoulli").params
    params = npvae.Params(encoder, [decoder[0], decoder[2]], learned)
    with pytest.raises(ValueError, match=r"cannot save to .*vae.*decoder/1/W is float32 \(4, 4\)"):
        exchange.save(npvae.VAE(params, npvae.Bernoulli(), "tanh"), tmp_path / f"vae{suffix}")
    assert os.listdir(tmp_path) == []


def test_names_for_a_file_with_its_own_are_refused(tmp_path):
    small("bernoulli").save(tmp_path / "vae.npz")
    with pytest.raises(ValueError, match=r"vae\.npz has names of npvae's own; encoder and decoder"):
        exchange.load(tmp_path / "vae.npz", **NAMES)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".onnx"])
def test_what_is_not_finite_is_not_written_and_the_old_file_stays(tmp_path, suffix):
    if suffix == ".pt":
        pytest.importorskip("torch")
    vae = small()
    written = exchange.save(vae, tmp_path / f"vae{suffix}")
    before = [path.read_bytes() for path in written]
    vae.params.encoder[0].W[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"cannot save to .*vae.*encoder/0/W holds NaN or inf"):
        exchange.save(vae, tmp_path / f"vae{suffix}")
    assert [path.read_bytes() for path in written] == before
    assert sorted(tmp_path.iterdir()) == sorted(written)


def test_a_cut_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "vae.safetensors"
    exchange.save(small(), path)
    before = path.read_bytes()

    def power_cut(partial, path):
        raise OSError("cut before the rename")

    monkeypatch.setattr(os, "replace", power_cut)
    with pytest.raises(OSError, match=r"cannot save to .*vae\.safetensors: cut before the rename"):
        exchange.save(small("bernoulli"), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["vae.safetensors"]


# PyTorch


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f4", np.float64])
def test_pytorchs_example_is_known_by_its_names(dtype):
    state = pytorch_example(dtype=dtype)
    vae = exchange.from_state_dict(state)
    assert (vae.likelihood, vae.activation) == (npvae.Bernoulli(), "relu")
    assert vae.dtype == (np.float64 if dtype == np.float64 else np.float32)
    x = np.random.default_rng(0).random((5, 12)).astype(vae.dtype)
    state = {name: array.astype(np.float64) for name, array in state.items()}
    for ours, theirs in zip(vae.encode(x), example_encode(state, x), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=3e-6)
    z = vae.encode(x)[0]
    np.testing.assert_allclose(vae.decode(z), example_decode(state, z), atol=1e-6)


def test_a_state_dict_trained_in_pytorch_is_judged(tmp_path):
    torch = pytest.importorskip("torch")
    example = importlib.import_module("parity.torch_example")
    torch.manual_seed(0)
    x = npvae.datasets.glyph_digits(600, rng=np.random.default_rng(0)).images
    module = example.Example(H=40, Z=5)
    optimizer = example.train(module, torch.tensor(x), batch_size=20, learning_rate=3e-3)
    state = torch.nn.DataParallel(module).state_dict()  # "module.fc1.weight", …
    checkpoint = {"epoch": 1, "model": state, "optimizer": optimizer.state_dict()}
    torch.save(checkpoint, tmp_path / "vae.pth")

    vae = exchange.load(tmp_path / "vae.pth")
    noise = np.random.default_rng(1).standard_normal((20, 600, 5), np.float32)
    theirs = example.bounds(module, x, noise)
    for draw, their in zip(noise, theirs, strict=True):
        assert npvae.elbo(vae, x, draw[None]).bound.mean() == pytest.approx(their, abs=1e-3)
    judged = npvae.evaluate(vae, x, rng=np.random.default_rng(2))
    diagnosed = npvae.diagnose(vae, x).vitals.evaluation
    for ours in (judged, diagnosed):
        assert abs(ours.elbo - theirs.mean()) < 4 * theirs.std()


def test_bfloat16_tensors_are_read():
    torch = pytest.importorskip("torch")
    state = {n: torch.tensor(a).to(torch.bfloat16) for n, a in pytorch_example().items()}
    vae = exchange.from_state_dict(state)
    expected = state["fc1.weight"].float().numpy().T
    np.testing.assert_array_equal(vae.params.encoder[0].W, expected, strict=True)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code from a file was run",))


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "vae.pt"
    torch.save({"fc1.weight": torch.ones(2), "x": Bomb()}, path)
    with pytest.raises(
        ValueError, match=r"vae\.pt holds no state dict \(its pickle would run code"
    ):
        exchange.load(path)


def test_what_holds_no_state_dict_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "vae.pt"
    large = {"fc1.weight": torch.ones(1).expand(10**9)}
    for content, message in (
        ([torch.ones(2)], "0 mappings of names to tensors; expected one"),
        ({"a": {"w": torch.ones(1)}, "b": {"w": torch.ones(1)}}, "2 mappings of names to tensors"),
        (large, "its tensors claim to be larger than the file"),
    ):
        torch.save(content, path)
        with pytest.raises(ValueError, match=rf"vae\.pt holds no state dict \({message}"):
            exchange.load(path)
    torch.save(pytorch_example(), path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match="it is no zip, as PyTorch writes it"):
        exchange.load(path)
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"vae\.pt holds no state dict"):
        exchange.load(path)


def test_a_compressed_bomb_is_refused_before_pytorch_reads_it(tmp_path):
    torch = pytest.importorskip("torch")
    path, bomb = tmp_path / "vae.pt", tmp_path / "bomb.pt"
    torch.save({"fc1.weight": torch.zeros(2500, 2500)}, path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    assert bomb.stat().st_size < 50_000
    with pytest.raises(ValueError, match="its members are compressed; expected them as they are"):
        exchange.load(bomb)


def test_without_pytorch_its_files_say_so(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    (tmp_path / "vae.pt").touch()
    with pytest.raises(ImportError, match=r"PyTorch's files need PyTorch: .*extra `parity`"):
        exchange.load(tmp_path / "vae.pt")
    with pytest.raises(ImportError, match="PyTorch's files need PyTorch"):
        exchange.save(small(), tmp_path / "new.pt")


def test_names_of_ones_own_both_ways(tmp_path):
    vae = small("bernoulli", activation="relu")
    state = exchange.to_state_dict(vae, **NAMES)
    assert list(state)[:6:2] == ["enc.weight", "mu.weight", "lv.weight"]
    assert state["lv.weight"].shape == (2, 3)
    np.testing.assert_array_equal(state["lv.weight"], vae.params.encoder[-1].W[:, 2:].T)
    assert_same(vae, exchange.from_state_dict(state, **BERNOULLI, **NAMES))
    exchange.save(vae, tmp_path / "vae.safetensors", **NAMES)
    assert_same(vae, exchange.load(tmp_path / "vae.safetensors", **NAMES))
    with pytest.raises(ValueError, match=r"it has the arrays enc\.weight, .* and 2 more; expected"):
        exchange.load(tmp_path / "vae.safetensors")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "vae.model."])
def test_what_all_names_begin_with_is_passed_over_unless_named(prefix):
    state = {f"{prefix}{name}": array for name, array in pytorch_example().items()}
    vae = exchange.from_state_dict(state)
    assert_same(vae, exchange.from_state_dict(pytorch_example()))
    encoder = [f"{prefix}fc1", (f"{prefix}fc21", f"{prefix}fc22")]
    decoder = [f"{prefix}fc3", f"{prefix}fc4"]
    named = exchange.from_state_dict(state, **BERNOULLI, encoder=encoder, decoder=decoder)
    assert_same(vae, named)
    with pytest.raises(ValueError, match=rf"no array 'fc9\.weight' among {prefix}fc1\.weight, "):
        exchange.from_state_dict(state, **BERNOULLI, encoder=["fc9"], decoder=decoder)


def test_a_state_dict_of_ones_own_is_not_changed_by_training():
    state = pytorch_example()
    kept = {name: array.copy() for name, array in state.items()}
    vae = exchange.from_state_dict(state)
    for array in vae.params.arrays().values():
        array += 1
    exchange.to_state_dict(vae)["encoder.0.bias"] += 1
    for name, array in state.items():
        np.testing.assert_array_equal(array, kept[name])


def changed(name, array):
    state = pytorch_example()
    state[name] = np.asarray(array)
    return state


MISFITS = {
    "a number too many": ("fc3.weight", np.ones((8, 4)), r"fc3 has 4 inputs; expected Z = 3"),
    "a wide layer": ("fc22.weight", np.ones((3, 9)), "fc22 has 9 inputs; expected 8, because fc1"),
    "a kernel of images": (
        "fc1.weight",
        np.ones((8, 1, 3, 3)),
        r"fc1\.weight has shape \(8, 1, 3, 3\); expected \(D_out, D_in\), of a dense layer",
    ),
    "a bias": ("fc4.bias", np.ones(11), r"fc4\.bias has shape \(11,\); expected \(12,\)"),
    "integers": ("fc1.bias", np.ones(8, int), "fc1.bias holds int64; expected float16"),
    "NaN": ("fc1.bias", np.full(8, np.nan, "f4"), r"state: fc1\.bias holds NaN or inf"),
    "a layer more": ("fc5.weight", np.ones((3, 3)), r"it has the arrays .*; expected npvae's"),
}


@pytest.mark.parametrize(("name", "array", "message"), MISFITS.values(), ids=MISFITS)
def test_what_does_not_fit_is_named(name, array, message):
    with pytest.raises(ValueError, match=f"state: .*{message}|{message}"):
        exchange.from_state_dict(changed(name, array))


def test_heads_of_different_sizes_and_missing_arrays_are_named():
    state = pytorch_example()
    state |= {"fc22.weight": np.ones((4, 8)), "fc22.bias": np.ones(4)}
    with pytest.raises(ValueError, match="fc21 has 3 and fc22 has 4 outputs; expected as many"):
        exchange.from_state_dict(state)
    layers = {"encoder": ["fc1", "fc21"], "decoder": ["fc3", "fc4"]}
    one = {name: array for name, array in state.items() if not name.startswith("fc22")}
    with pytest.raises(ValueError, match="fc21 has 3 outputs; expected 2 Z, mu's and logvar's"):
        exchange.from_state_dict(one, **BERNOULLI, **layers)
    del state["fc4.bias"]
    layers |= {"encoder": ["fc1", ("fc21", "fc22")]}
    with pytest.raises(ValueError, match=r"there is no array 'fc4\.bias'"):
        exchange.from_state_dict(state, **BERNOULLI, **layers)
    layers |= {"decoder": ["fc3"]}
    with pytest.raises(ValueError, match=r"unknown arrays: fc4\.weight, fc4\.bias"):
        exchange.from_state_dict(pytorch_example(), **BERNOULLI, **layers)


def test_what_a_file_does_not_say_must_be_said():
    state = exchange.to_state_dict(small())
    for choices, message in (
        ({"activation": "tanh"}, r"state does not say its likelihood; pass it"),
        ({"likelihood": npvae.Bernoulli()}, "state does not say its activation; pass it, one of"),
        ({"likelihood": npvae.Gaussian(1.0), "activation": "tan"}, "activation is 'tan'; expected"),
        (BERNOULLI, "unknown arrays: likelihood/logvar"),
        (
            {"likelihood": npvae.HeteroscedasticGaussian(), "activation": "tanh"},
            r"4 inputs and the decoder 4 outputs; Heteroscedastic.* of D = 4 has 4 and 8",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            exchange.from_state_dict(state, **choices)


def test_what_a_likelihood_learns_begins_where_it_says_if_the_source_has_none():
    choices = {"likelihood": npvae.LearnedGaussian(0.3), "activation": "relu"}
    vae = exchange.from_state_dict(pytorch_example(), **choices)
    assert vae.params.likelihood["logvar"] == pytest.approx(2 * np.log(0.3))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"encoder": ["a"]}, "decoder is None; expected names of layers"),
        ({"encoder": "fc1", "decoder": ["b"]}, "encoder is 'fc1'; expected names of layers"),
        ({"encoder": [("a", "b", "c")], "decoder": ["d"]}, "a pair for mu and logvar"),
        ({"encoder": [("a", "b"), "c"], "decoder": ["d"]}, "expected names, and as the"),
        ({"encoder": ["a", ()], "decoder": ["d"]}, "expected names, and as the"),
        ({"encoder": ["a", 5], "decoder": ["d"]}, "expected names, and as the"),
        ({"encoder": ["a", ["b", None]], "decoder": ["d"]}, "expected names, and as the"),
        ({"encoder": ["a", "b"], "decoder": ["a"]}, "name a layer twice: a, b, a"),
    ],
)
def test_layouts_that_are_none_are_refused(names, message):
    with pytest.raises((TypeError, ValueError), match=message):
        exchange.from_state_dict(pytorch_example(), **BERNOULLI, **names)


def test_names_of_another_number_of_layers_are_refused():
    names = NAMES | {"decoder": ["a", "b"]}
    with pytest.raises(
        ValueError, match=r"2 layers of an encoder and 2 of a decoder; .* has 2 and 3"
    ):
        exchange.to_state_dict(small(), **names)


def test_layers_are_ordered_by_number():
    """encoder.10 comes after encoder.8."""
    state = exchange.to_state_dict(make_vae(hidden=(3,) * 6, dtype=np.float32))
    shuffled = OrderedDict(sorted(state.items()))
    assert naming.recognised(shuffled).encoder[-1] == "encoder.12"
    vae = exchange.from_state_dict(shuffled, likelihood=npvae.Bernoulli(), activation="tanh")
    assert_same(vae, make_vae(hidden=(3,) * 6, dtype=np.float32))


# Keras


def keras_lists(D=6, H=5, Z=2):
    """get_weights() of an encoder with z_mean and z_log_var, and of a decoder."""
    rng = np.random.default_rng(3)
    widths = {"encoder": [(D, H), (H, Z), (H, Z)], "decoder": [(Z, H), (H, D)]}
    return [
        [rng.normal(size=s).astype(np.float32) for shape in shapes for s in (shape, shape[1:])]
        for shapes in widths.values()
    ]


def test_kerass_lists_are_read_and_given_back():
    encoder, decoder = keras_lists()
    vae = exchange.from_keras(encoder, decoder, **BERNOULLI)
    x = np.random.default_rng(0).random((4, 6), np.float32)
    hidden = np.maximum(x @ encoder[0] + encoder[1], 0)
    mu, logvar = hidden @ encoder[2] + encoder[3], hidden @ encoder[4] + encoder[5]
    for ours, theirs in zip(vae.encode(x), (mu, logvar), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    logits = np.maximum(mu @ decoder[0] + decoder[1], 0) @ decoder[2] + decoder[3]
    np.testing.assert_allclose(vae.decode(mu), 1 / (1 + np.exp(-logits)), atol=1e-6)
    for ours, theirs in zip(exchange.to_keras(vae), (encoder, decoder), strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b, strict=True)


def test_a_whole_models_list_in_an_npz_is_taken_apart(tmp_path):
    encoder, decoder = keras_lists()
    np.savez(tmp_path / "keras.npz", *encoder, *decoder)
    vae = exchange.load(tmp_path / "keras.npz", **BERNOULLI)
    assert_same(vae, exchange.from_keras(encoder, decoder, **BERNOULLI))
    np.savez(tmp_path / "keras.npz", *encoder)
    with pytest.raises(ValueError, match=r"keras\.npz: .* in 0 ways; .*from_keras"):
        exchange.load(tmp_path / "keras.npz", **BERNOULLI)
    np.savez(tmp_path / "square.npz", *(np.ones((2, 2)), np.ones(2)) * 6)
    with pytest.raises(ValueError, match=r"square\.npz: .* in 4 ways; .*from_keras"):
        exchange.load(tmp_path / "square.npz", **BERNOULLI)
    np.savez(tmp_path / "gap.npz", arr_0=np.ones((2, 2)), arr_2=np.ones(2))
    with pytest.raises(ValueError, match="there is no array 'arr_1', and 2 arrays"):
        exchange.load(tmp_path / "gap.npz", **BERNOULLI)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e, d: e.pop(), "there are 5 arrays; expected kernel, bias, kernel, bias"),
        (lambda e, d: d.clear(), "there are 0 arrays; expected kernel, bias"),
        (
            lambda e, d: e.__delitem__(slice(2)),
            "5 inputs and the decoder 6 outputs; Bernoulli.. of D = 5 has 5 and 5",
        ),
        (lambda e, d: e.__delitem__(slice(4)), "the encoder has 1 layers; expected mu's and"),
        (
            lambda e, d: e.__setitem__(0, np.ones((3, 3, 1, 8), "f4")),
            r"encoder_weights\[0\] has shape \(3, 3, 1, 8\); expected \(D_in, D_out\)",
        ),
        (lambda e, d: d.__setitem__(1, np.ones(4, "f4")), r"decoder_weights\[1\] has shape \(4,\)"),
        (
            lambda e, d: d.__setitem__(2, np.ones((4, 6), "f4")),
            r"decoder_weights\[2\] has 4 inputs",
        ),
    ],
)
def test_lists_that_do_not_fit_are_refused(change, message):
    encoder, decoder = keras_lists()
    change(encoder, decoder)
    with pytest.raises(ValueError, match=message):
        exchange.from_keras(encoder, decoder, **BERNOULLI)


# ONNX


def fields(data):
    """[(number, value)] of a message of protocol buffers, read as the specification says."""
    at, found = 0, []

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            found.append((key >> 3, varint()))
        elif key & 7 == 5:
            found.append((key >> 3, struct.unpack("<f", data[at : at + 4])[0]))
            at += 4
        else:
            assert key & 7 == 2
            length = varint()
            found.append((key >> 3, data[at : at + length]))
            at += length
    return found


def test_messages_are_what_the_specification_says():
    assert protobuf.message({1: 150}) == bytes.fromhex("089601")  # its own three examples
    assert protobuf.message({2: "testing"}) == bytes.fromhex("120774657374696e67")
    assert protobuf.message({3: protobuf.message({1: 150})}) == bytes.fromhex("1a03089601")
    assert protobuf.message({1: -2}) == bytes.fromhex("08feffffffffffffffff01")
    message = {1: [1, 2**40], 16: "ü", 20: b"\x00" * 300, 3: 0.5}
    assert fields(protobuf.message(message)) == [
        *((1, 1), (1, 2**40), (16, "ü".encode()), (20, b"\x00" * 300), (3, 0.5))
    ]


def test_graphs_are_of_an_old_format_and_name_what_goes_in_and_out(tmp_path):
    paths = exchange.save(small(), tmp_path / "vae.onnx")
    assert [path.name for path in paths] == ["vae.encoder.onnx", "vae.decoder.onnx"]
    for path, (inputs, outputs) in zip(paths, (("x", "mu logvar"), ("z", "mean")), strict=True):
        model = dict(fields(path.read_bytes()))
        assert model[1] == 6
        assert dict(fields(model[8]))[2] == 11
        graph = fields(model[7])
        sides = [[dict(fields(v))[1].decode() for n, v in graph if n == kind] for kind in (11, 12)]
        assert sides == [inputs.split(), outputs.split()]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("likelihood", "activation"),
    [(name, "tanh") for name in ALL] + [("bernoulli", name) for name in npvae.ACTIVATIONS],
)
def test_a_runtime_computes_the_same(tmp_path, likelihood, activation, dtype):
    runtime = pytest.importorskip("onnxruntime")
    vae = small(likelihood, activation=activation, dtype=dtype)
    encoder, decoder = map(runtime.InferenceSession, exchange.save(vae, tmp_path / "vae.onnx"))
    x = np.random.default_rng(0).integers(0, 2, (7, 4)).astype(dtype)  # every support has these
    if vae.likelihood.allows_holes:
        x[np.eye(7, 4, dtype=bool)] = np.nan
    theirs = encoder.run(["mu", "logvar"], {"x": x})
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    for ours, their in zip(vae.encode(x), theirs, strict=True):
        np.testing.assert_allclose(ours, their, atol=tolerance, rtol=tolerance, strict=True)
    z = 3 * np.random.default_rng(0).standard_normal((9, 2), dtype)
    (mean,) = decoder.run(["mean"], {"z": z})
    np.testing.assert_allclose(vae.decode(z), mean, atol=tolerance, rtol=tolerance, strict=True)


@pytest.mark.parametrize("likelihood", ALL)
def test_onnxs_own_check_finds_nothing(tmp_path, likelihood):
    checker = pytest.importorskip("onnx.checker")
    for path in exchange.save(small(likelihood, activation="softplus"), tmp_path / "vae.onnx"):
        checker.check_model(str(path), full_check=True)


class Own(npvae.Gaussian):
    """A likelihood that no table of graphs knows."""


def test_a_mean_without_a_graph_is_refused_before_anything_is_written(tmp_path):
    vae = npvae.VAE(small("gaussian").params, Own(0.3), "tanh")
    with pytest.raises(
        ValueError, match=r"no ONNX graph for the mean of Own\(sigma=0.3\); there is"
    ):
        exchange.save(vae, tmp_path / "vae.onnx")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_leaning_pixel_far_from_zero(tmp_path, dtype):
    runtime = pytest.importorskip("onnxruntime")
    vae = small("continuous bernoulli", decoder_hidden=(), activation="identity", dtype=dtype)
    _, path = exchange.save(vae, tmp_path / "vae.onnx")
    z = np.logspace(-4, 3, 500)[:, None] * np.random.default_rng(0).normal(size=(500, 2))
    (mean,) = runtime.InferenceSession(path).run(None, {"z": z.astype(dtype)})
    np.testing.assert_allclose(vae.decode(z), mean, atol=20 * np.finfo(dtype).eps)


# The command


def test_the_command_goes_all_ways(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    vae = small("bernoulli")
    vae.save("vae.npz")
    assert main(["convert", "vae.npz", "vae.safetensors"]) == 0
    assert main(["convert", "vae.safetensors", "back.npz"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "VAE(4-3-2, decoder 2-5-4-4, tanh, Bernoulli(), float32)",
        "wrote back.npz, 0.00 MB",
    ]
    assert_same(vae, npvae.VAE.load("back.npz"))
    names = ["--encoder", "enc", "mu,lv", "--decoder", "a", "b", "out"]
    assert main(["convert", "vae.npz", "named.safetensors", *names]) == 0
    assert "lv.bias" in safetensors.read("named.safetensors")[1]
    assert main(["convert", "named.safetensors", "named.npz", *names]) == 0
    assert_same(vae, npvae.VAE.load("named.npz"))
    assert main(["convert", "vae.npz", "vae.onnx"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "wrote vae.encoder.onnx, 0.00 MB",
        "wrote vae.decoder.onnx, 0.00 MB",
    ]


def test_the_command_takes_what_the_file_does_not_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encoder, decoder = keras_lists()
    np.savez("keras.npz", *encoder, *decoder)
    choices = ["--likelihood", "Gaussian(sigma=0.1)", "--activation", "softplus"]
    assert main(["convert", "keras.npz", "vae.npz", *choices]) == 0
    expected = {"likelihood": npvae.Gaussian(0.1), "activation": "softplus"}
    assert_same(npvae.VAE.load("vae.npz"), exchange.from_keras(encoder, decoder, **expected))


def test_the_commands_help_is_80_columns_wide(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["convert", "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("vae.npz vae.h5", "vae.h5 ends in '.h5'; expected one of .npz, .safetensors, .pt"),
        ("vae.h5 vae.npz", "in Keras, np.savez('vae.npz', *model.get_weights())"),
        ("vae.onnx vae.npz", "vae.onnx ends in '.onnx'; expected one of .npz, .safetensors"),
        ("absent.safetensors vae.npz", "there is no file absent.safetensors"),
        ("text.safetensors vae.npz", "text.safetensors is truncated or not a safetensors file"),
        ("vae.npz absent/vae.safetensors", "there is no folder"),
        ("vae.npz new.npz --likelihood Gaussian", "--likelihood is 'Gaussian' ("),
        ("vae.npz new.npz --likelihood print()", "no likelihood print); expected one of Bernoulli"),
        ("vae.npz new.npz --likelihood Bernoulli", "has the likelihood LearnedGaussian("),
        ("vae.npz new.npz --encoder a mu,lv --decoder b", "new.npz has names of npvae's own;"),
        ("vae.npz new.safetensors --encoder a", "decoder is None; expected names of layers"),
        ("foreign.safetensors new.npz", "does not say its likelihood"),
    ],
)
def test_bad_arguments_end_in_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    vae = small()
    vae.save("vae.npz")
    (tmp_path / "text.safetensors").write_text("no model at all")
    safetensors.write("foreign.safetensors", {}, exchange.to_state_dict(vae))
    assert main(["convert", *arguments.split()]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("python -m npvae convert: ")
    assert told.err.count("\n") == 1
    assert message in told.err
    assert not list(tmp_path.glob("new.*"))


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_a_likelihood_is_parsed_from_what_it_prints(likelihood):
    assert parse_likelihood(repr(likelihood)) == likelihood


@pytest.mark.parametrize(
    "text", ["", "1", "Bernoulli(1)", "npvae.Bernoulli()", "Gaussian(1+1)", "("]
)
def test_what_is_no_likelihood_is_refused(text):
    with pytest.raises(ValueError, match=r"--likelihood is .*; expected one of Bernoulli"):
        parse_likelihood(text)
