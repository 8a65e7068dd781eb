"""What fuzz.py does to sound files: other bytes, headers, members, and arrays by other names."""

import copy
import gzip
import io
import json
import struct
import zipfile

import numpy as np

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 64) - 1)
VALUES = (-1, 0, 1, 2, 7, 10**6, 10**13, 10**30, 1.5, True, None, "", "tanh", [], [10**9], {}, [[]])
DESCRS = ("'<f4'", "'>f4'", "'<f8'", "'|O'", "'<U0'", "'<U99'", "[('a', '<f4')]", "-" * 9000 + "1")
SHAPES = ("()", "(3,)", "(4, 3)", "(-1, -12)", "(0, 10**9)", "(1000000000000,)", "(4, True)", "3")
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
BOMB = bytes(1 << 20)
NAMES = ("fc5.bias", "encoder.0.weight", "decoder.00.bias", "module.fc1.weight", "", ".", "arr_0")
FORMS = ((), 0, 3, (4, 3), (3, 4), (1, 1, 1), (0, 3), (3, 0))
NUMBERS = (0, 1, -1e30, 1e300, np.inf, np.nan)


def damaged(content, rng):
    """Bytes of a file with one to three things changed."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        rng.choice(CHANGES)(data, rng)
    return bytes(data)


def _bit(data, rng):
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _bytes(data, rng):
    at = rng.randrange(len(data) + 1)
    data[at : at + rng.randint(1, 8)] = rng.randbytes(rng.randint(0, 8))


def _number(data, rng):
    size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
    at = rng.randrange(len(data) + 1)
    data[at : at + size] = (rng.choice(EXTREMES) % (1 << 8 * size)).to_bytes(size, order)


def _cut(data, rng):
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.choice((1, 10, 10**6))]


def _double(data, rng):
    at, size = rng.randrange(len(data) + 1), rng.randint(1, 64)
    there = rng.randrange(len(data) + 1)
    data[there:there] = data[at : at + size]


CHANGES = (_bit, _bytes, _number, _cut, _double)


def damaged_model(content, rng):
    """A damaged model file: most of them sound archives, with other headers or other arrays."""
    return rng.choice((damaged, _other_header, _other_members))(content, rng)


def _other_header(content, rng):
    with np.load(io.BytesIO(content)) as file:
        stored = dict(file)
    header = json.loads(str(stored.pop("header")))
    for _ in range(rng.randint(1, 2)):
        part = header
        while (parts := [v for v in part.values() if isinstance(v, dict)]) and rng.random() < 0.7:
            part = rng.choice(parts)
        part[rng.choice([*part, "new"])] = copy.deepcopy(rng.choice(VALUES))
    text = json.dumps(header)
    text = damaged(text.encode(), rng).decode("utf-8", "replace") if rng.random() < 0.3 else text
    if rng.random() < 0.3:
        name = rng.choice(list(stored))
        stored[name] = np.zeros(rng.choice(((), 0, 3, (4, 3), (1, 1, 1))), rng.choice("fdiU?"))
    out = io.BytesIO()
    rng.choice((np.savez, np.savez_compressed))(out, header=np.array(text), **stored)
    return out.getvalue()


def damaged_zip(content, rng):
    """A damaged file of PyTorch's, half of them sound archives."""
    if rng.random() < 0.5:
        return damaged(content, rng)
    return _other_members(content, rng, damaged)


def _other_members(content, rng, other=None):
    """The archive's members damaged, compressed or twice there, with the right checksums."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        chosen = rng.choice(old.namelist())
        for name in old.namelist():
            data = old.read(name)
            if name == chosen:
                data = (other or _other_member)(data, rng)
                size = len(data)
            new.writestr(name, data, rng.choice(METHODS) if name == chosen else None)
        if rng.random() < 0.1:
            new.writestr(chosen.removesuffix(".npy"), old.read(chosen))
    archive = out.getvalue()
    if rng.random() < 0.3:  # the size that is claimed, wherever it stands
        claim = rng.choice((1, 100, len(archive), 0xFFFFFFFF))
        archive = archive.replace(struct.pack("<I", size), struct.pack("<I", claim))
    return archive


def _other_member(data, rng):
    """An .npy file with another header, or bytes damaged, or a bomb."""
    kind = rng.random()
    if kind < 0.01:
        return BOMB
    if kind < 0.5:
        return damaged(data, rng)
    shape, descr = rng.choice(SHAPES), rng.choice(DESCRS)
    text = f"{{'descr': {descr}, 'fortran_order': {rng.random() < 0.5}, 'shape': {shape}, }}\n"
    size = struct.pack("<H", len(text))
    return b"\x93NUMPY\x01\x00" + size + text.encode() + data[128:]


def damaged_idx(content, rng):
    data = damaged(content, rng)
    if rng.random() < 0.5:
        data = gzip.compress(data, 1)
        data = damaged(data, rng) if rng.random() < 0.5 else data
    return data


def damaged_safetensors(content, rng):
    """A damaged file: its bytes, or its header, of which one or two values are others."""
    if rng.random() < 0.5:
        return damaged(content, rng)
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    if rng.random() < 0.3:
        own = json.loads(header["__metadata__"]["npvae"])
        own[rng.choice([*own, "new"])] = copy.deepcopy(rng.choice(VALUES))
        header["__metadata__"]["npvae"] = json.dumps(own)
    for _ in range(rng.randint(0, 2)):
        _other_value(header, rng)
    text = json.dumps(header).encode()
    text = damaged(text, rng) if rng.random() < 0.3 else text
    return struct.pack("<Q", len(text)) + text + content[8 + size :]


def _other_value(header, rng):
    part = header
    while (parts := [v for v in part.values() if isinstance(v, dict)]) and rng.random() < 0.8:
        part = rng.choice(parts)
    name = rng.choice([*part, "new"])
    if isinstance(part.get(name), list) and part[name] and rng.random() < 0.7:
        part[name][rng.randrange(len(part[name]))] = copy.deepcopy(rng.choice(VALUES))
    else:
        part[name] = copy.deepcopy(rng.choice(VALUES))


def damaged_state(states, rng):
    """An npz of arrays, one to three of which are others, or under other names."""
    state = dict(rng.choice(states))
    for _ in range(rng.randint(0, 3)):
        _other_array(state, rng)
    names = list(state)
    if rng.random() < 0.2:
        rng.shuffle(names)
    out = io.BytesIO()
    np.savez(out, **{name: state[name] for name in names})
    return out.getvalue()


def _other_array(state, rng):
    name = rng.choice(list(state))
    other = rng.choice((*NAMES, *state, f"{name}.", name.upper(), f"likelihood.{name}"))
    change = rng.randrange(5)
    if change == 0:
        state[other] = state.pop(name)
    elif change == 1:
        state[other] = state[name]
    elif change == 2 and len(state) > 1:
        del state[name]
    elif change == 3 and state[name].size and state[name].dtype.kind != "U":
        state[name] = state[name].astype(rng.choice("fd"))
        state[name].flat[rng.randrange(state[name].size)] = rng.choice(NUMBERS)
    else:
        state[name] = np.zeros(rng.choice(FORMS), rng.choice("efdgiU?"))
