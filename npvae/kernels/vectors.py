"""SIMD registers by hand, for sums that must stay in them from the first term to the last.

SIMD means that one instruction does the same to all numbers of a register. A compiler left alone
stores and reloads the result of a matrix product at every step of its sum. Here one numba value,
a `Tile`, is rows × columns of registers, and each function is one step that changes it: it runs
while numba compiles, and writes instructions of LLVM, numba's compiler. `products` calls them.

Arrays are C-contiguous; `at` and `step` count their numbers: row r starts at at + r·step.
`rows` and `columns` say how much of a tile lies inside the array; None means all of it. Past the
last row a load gives the last again, and past the last column zeros; neither is stored.
"""

import contextlib
import functools
import itertools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic, models, register_model

INT32, INT64 = ir.IntType(32), ir.IntType(64)


@functools.cache
def _features():
    """What the CPU that numba compiles for can do, in LLVM's words."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return features.split(",")


def register_bytes():
    """Bytes in a SIMD register."""
    return 64 if "+avx512f" in _features() else 32 if "+avx2" in _features() else 16


def register_count():
    """How many SIMD registers there are."""
    return 32 if {"+avx512f", "+neon"} & {*_features()} else 16


def lanes(number):
    """How many numbers of a numba type fill a register."""
    return 8 * register_bytes() // number.bitwidth


class Tile(types.Type):
    """rows × columns of vectors, each vector a register of `lanes` numbers."""

    def __init__(self, rows, columns, number):
        self.rows, self.columns, self.number = rows, columns, number
        self.lanes = lanes(number)
        super().__init__(f"Tile({rows}, {columns}, {number})")


@register_model(Tile)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager, tile):
        vector = ir.VectorType(manager.lookup(tile.number).get_value_type(), tile.lanes)
        super().__init__(manager, tile, ir.ArrayType(vector, tile.rows * tile.columns))


class _Writer:
    """Writes the instructions of one step upon a tile, where `builder` stands."""

    def __init__(self, context, builder, tile):
        self.context, self.builder, self.tile = context, builder, tile
        self.type = context.get_value_type(tile)
        self.vector = self.type.element
        self.name = f"v{tile.lanes}f{tile.number.bitwidth}"  # LLVM's name of the vector type
        self.bytes = tile.number.bitwidth // 8

    def open(self, kind, value):
        """A tile as rows of vectors, an array as the address of its first number, None as None."""
        if isinstance(kind, types.Array):
            return self.context.make_array(kind)(self.context, self.builder, value).data
        if isinstance(kind, Tile):
            vectors = [self.builder.extract_value(value, v) for v in range(self.type.count)]
            return [vectors[v : v + kind.columns] for v in range(0, len(vectors), kind.columns)]
        return None if isinstance(kind, types.NoneType) else value

    def close(self, rows):
        """The tile's value, from its rows of vectors."""
        value = ir.Constant(self.type, ir.Undefined)
        for v, vector in enumerate(itertools.chain(*rows)):
            value = self.builder.insert_value(value, vector, v)
        return value

    def call(self, function, result, *args):
        """A call of one of LLVM's own functions."""
        signature = ir.FunctionType(result, [arg.type for arg in args])
        callee = cgutils.get_or_insert_function(self.builder.module, signature, function)
        return self.builder.call(callee, args)

    def splat(self, value):
        """The value in every lane."""
        kind = ir.VectorType(value.type, self.tile.lanes)
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, INT32(0))
        return self.shuffle(one, one, [0] * self.tile.lanes)

    def shuffle(self, a, b, numbers):
        """The lanes of a and then b that have these numbers."""
        kind = ir.VectorType(INT32, len(numbers))
        return self.builder.shuffle_vector(a, b, ir.Constant(kind, [*map(INT32, numbers)]))

    def side_by_side(self, at, columns):
        """The index and mask of each vector in a row of them that starts at `at`."""
        for c in range(self.tile.columns):
            lanes = range(c * self.tile.lanes, (c + 1) * self.tile.lanes)
            yield self.builder.add(at, INT64(lanes[0])), self._mask(lanes, columns)

    def _mask(self, lanes, columns):
        if columns is None:
            return None
        numbers = ir.Constant(ir.VectorType(INT64, len(lanes)), [*lanes])
        return self.builder.icmp_signed("<", numbers, self.splat(columns))

    def row(self, at, r, step, rows=None):
        """at + r·step, or that of the last row if there are fewer."""
        r = INT64(r)
        if rows is not None:
            last = self.builder.sub(rows, INT64(1))
            r = self.builder.select(self.builder.icmp_signed("<", r, last), r, last)
        return self.builder.add(at, self.builder.mul(r, step))

    def number(self, array, index):
        """array[index] in every lane."""
        return self.splat(self.builder.load(self.builder.gep(array, [index])))

    def load(self, array, index, mask=None):
        """array[index : index + lanes], zero where the mask is false."""
        address = self._vector_address(array, index)
        if mask is None:
            return self.builder.load(address, align=self.bytes)
        args = address, INT32(self.bytes), mask, ir.Constant(self.vector, None)
        return self.call(f"llvm.masked.load.{self.name}.p0", self.vector, *args)

    def store(self, vector, array, index, mask=None):
        """array[index : index + lanes] = vector, where the mask is true."""
        address = self._vector_address(array, index)
        if mask is None:
            self.builder.store(vector, address, align=self.bytes)
        else:
            args = vector, address, INT32(self.bytes), mask
            self.call(f"llvm.masked.store.{self.name}.p0", ir.VoidType(), *args)

    def fetch(self, array, index):
        """Have the line of array[index] brought into the second cache, while work goes on.

        A hint, by which nothing is read: the index may lie past the end.
        """
        to_read, second_cache, data = INT32(0), INT32(2), INT32(1)
        args = self.builder.gep(array, [index]), to_read, second_cache, data
        self.call("llvm.prefetch.p0", ir.VoidType(), *args)

    def _vector_address(self, array, index):
        return self.builder.bitcast(self.builder.gep(array, [index]), self.vector.as_pointer())

    def multiply_add(self, a, b, c):
        """a·b + c, fused where the CPU can."""
        return self.call(f"llvm.fmuladd.{self.name}", self.vector, a, b, c)

    def if_row(self, r, rows):
        """A `with` block whose instructions run if r < rows."""
        if rows is None:
            return contextlib.nullcontext()
        return self.builder.if_then(self.builder.icmp_signed("<", INT64(r), rows))


def _step(new_tile=None):
    """A function for compiled code, from one that writes its instructions.

    Its first argument is the tile it changes, or the array whose dtype `new_tile` needs.
    """

    def decorate(write):
        @intrinsic
        @functools.wraps(write)  # numba asks for the names of the arguments
        def step(typing, first, *rest):
            tile = new_tile(first.dtype) if new_tile else first

            def generate(context, builder, signature, args):
                writer = _Writer(context, builder, tile)
                rows = write(writer, *map(writer.open, signature.args, args))
                return writer.close(rows) if rows else context.get_dummy_value()

            result = types.none if write.__name__.startswith("store") else tile
            return result(first, *rest), generate

        return step

    return decorate


@functools.cache
def start(rows, columns):
    """start(…)(array, at, columns): a tile whose rows are all array[at : at + columns]."""

    def write(writer, array, at, columns):
        return [[writer.load(array, *place) for place in writer.side_by_side(at, columns)]] * rows

    return _step(lambda number: Tile(rows, columns, number))(write)


@_step()
def add_outer_product(writer, tile, a, a_at, a_step, rows, b, b_at, columns):
    """tile[r, :] += a[a_at + r·a_step] · b[b_at : b_at + columns]; loads r + c, multiplies r c.

    [kernels.2]
    What stands to the right of the row of b, in the next strip, is wanted next.
    """
    b_row = [writer.load(b, *place) for place in writer.side_by_side(b_at, columns)]
    width = INT64(writer.tile.columns * writer.tile.lanes)
    writer.fetch(b, writer.builder.add(b_at, width))
    for r, row in enumerate(tile):
        number = writer.number(a, writer.row(a_at, r, a_step, rows))
        row[:] = [writer.multiply_add(number, *bc) for bc in zip(b_row, row, strict=True)]
    return tile


@_step()
def add_row(writer, tile, b, at, columns):
    """tile[r, :] += b[at : at + columns]."""
    b_row = [writer.load(b, *place) for place in writer.side_by_side(at, columns)]
    return [[writer.builder.fadd(c, b) for b, c in zip(b_row, row, strict=True)] for row in tile]


@_step()
def store(writer, tile, array, at, step, rows, columns):
    """array[at + r·step : … + columns] = tile[r, :]."""
    for r, row in enumerate(tile):
        with writer.if_row(r, rows):
            places = writer.side_by_side(writer.row(at, r, step), columns)
            for vector, place in zip(row, places, strict=True):
                writer.store(vector, array, *place)


@_step(lambda number: Tile(lanes(number), 1, number))
def load_transposed(writer, array, at, step, rows):
    """tile[c, r] = array[at + r·step + c], a square tile.

    Row r and row r + w/2, laid into each other number by number, become rows 2r and 2r + 1. So
    number i of the tile moves to 2i mod w² + ⌊2i/w²⌋: its bits rotate by one. log₂ w such
    rounds exchange those of the row and those of the column.    [kernels.3]
    """
    count = writer.tile.rows
    tile = [writer.load(array, writer.row(at, r, step, rows)) for r in range(count)]
    lower = [lane for i in range(count // 2) for lane in (i, count + i)]
    upper = [lane + count // 2 for lane in lower]
    for _ in range(count.bit_length() - 1):
        pairs = zip(tile[: count // 2], tile[count // 2 :], strict=True)
        tile = [writer.shuffle(*pair, half) for pair in pairs for half in (lower, upper)]
    return [[row] for row in tile]
