"""SIMD registers by hand, for sums that must stay in them from the first term to the last.

A compiler left alone stores and reloads the result of a matrix product at every step of its
sum. Here one numba value, a `Tile`, is rows × columns of registers, and each function is one
step upon it: it runs at compile time and writes LLVM instructions. `products` calls them all.

Arrays are C-contiguous; `at` and `step` count their numbers: row r starts at at + r·step.
`rows`, `columns` and `lanes` say how much lies inside the array, None that all of it does.
Past the last row a load gives the last again, past the last column zeros; neither is stored.
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
def simd():
    """Number of SIMD registers, and bytes in each, on the CPU that numba compiles for."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    features = features.split(",")
    if "+avx512f" in features:
        return 32, 64
    return 16, 32 if "+avx2" in features else 16


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


# Five rows divide the usual batches; with as many columns as registers allow, there is one for each
# accumulator, for a row of b, and for a number of a.
ROWS = 5


def wide_tile(number):
    """The tile of `add_outer_product`: for r + c loads, r c multiply-adds.    [kernels.2]"""
    return Tile(ROWS, simd()[0] // 8, number)


def narrow_tile(number):
    """As many registers in one column, for what wide tiles leave over at the right."""
    return Tile(ROWS * simd()[0] // 8, 1, number)


def dot_tile(number):
    """The tile of `add_products`; each vector holds the pieces of one sum.

    Its columns are no more than a vector's lanes, for the sums of a row are stored as one.
    """
    return Tile(3, min(simd()[0] // 4, lanes(number)), number)


def lanes(number):
    """How many numbers fill a register."""
    return 8 * simd()[1] // number.bitwidth


class _Writer:
    """Writes the instructions of one step upon a tile, where `builder` stands."""

    def __init__(self, context, builder, tile):
        self.context, self.builder, self.tile = context, builder, tile
        self.type = context.get_value_type(tile)
        self.vector = self.type.element
        self.name = f"v{tile.lanes}f{tile.number.bitwidth}"  # LLVM's name of the vector type
        self.bytes = tile.number.bitwidth // 8
        self.zeros = ir.Constant(self.vector, None)

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

    def call(self, function, result, *args, **flags):
        """A call of one of LLVM's own functions."""
        signature = ir.FunctionType(result, [arg.type for arg in args])
        callee = cgutils.get_or_insert_function(self.builder.module, signature, function)
        return self.builder.call(callee, args, **flags)

    def splat(self, value, lanes=None):
        """The value in every lane."""
        lanes = lanes or self.tile.lanes
        kind = ir.VectorType(value.type, lanes)
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, INT32(0))
        lane_0 = ir.Constant(ir.VectorType(INT32, lanes), None)
        return self.builder.shuffle_vector(one, one, lane_0)

    def below(self, count, first=0, lanes=None):
        """Lane by lane, whether first + lane < count."""
        lanes = lanes or self.tile.lanes
        numbers = ir.Constant(ir.VectorType(INT64, lanes), [*range(first, first + lanes)])
        return self.builder.icmp_signed("<", numbers, self.splat(count, lanes))

    def index(self, at, row, step, rows=None):
        """at + row·step, or that of the last row if there are fewer."""
        row = INT64(row)
        if rows is not None:
            last = self.builder.sub(rows, INT64(1))
            row = self.builder.select(self.builder.icmp_signed("<", row, last), row, last)
        return self.builder.add(at, self.builder.mul(row, step))

    def number(self, array, index):
        """array[index] in every lane."""
        return self.splat(self.builder.load(self.builder.gep(array, [index])))

    def load(self, array, index, mask=None):
        """array[index : index + lanes], zero where the mask is false."""
        address = self._vector_address(array, index, self.vector)
        if mask is None:
            return self.builder.load(address, align=self.bytes)
        args = address, INT32(self.bytes), mask, self.zeros
        return self.call(f"llvm.masked.load.{self.name}.p0", self.vector, *args)

    def store(self, vector, array, index, mask=None):
        """array[index : index + lanes] = vector, where the mask is true."""
        address = self._vector_address(array, index, vector.type)
        if mask is None:
            self.builder.store(vector, address, align=self.bytes)
        else:
            name = f"llvm.masked.store.v{vector.type.count}f{8 * self.bytes}.p0"
            self.call(name, ir.VoidType(), vector, address, INT32(self.bytes), mask)

    def _vector_address(self, array, index, kind):
        return self.builder.bitcast(self.builder.gep(array, [index]), kind.as_pointer())

    def side_by_side(self, at, columns):
        """The index and mask of each vector in a row of them that starts at `at`."""
        for c in range(self.tile.columns):
            first = c * self.tile.lanes
            mask = None if columns is None else self.below(columns, first)
            yield self.builder.add(at, INT64(first)), mask

    def multiply_add(self, a, b, c):
        """a·b + c, fused where the CPU can."""
        return self.call(f"llvm.fmuladd.{self.name}", self.vector, a, b, c)

    def sums(self, vectors):
        """Σ of each vector's lanes, side by side in one short vector; they are a power of two.

        Every step adds even lanes to odd ones: first of two vectors at a time, then of one.
        """
        while len(vectors) > 1:
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            vectors = [self.neighbours(a, b, 2 * self.tile.lanes) for a, b in pairs]
        (vector,) = vectors
        while vector.type.count > self.tile.columns:
            vector = self.neighbours(vector, vector, vector.type.count)
        return vector

    def neighbours(self, a, b, lanes):
        """Even lanes plus odd lanes, of the first `lanes` in a and b together."""
        halves = ([INT32(lane) for lane in range(odd, lanes, 2)] for odd in (0, 1))
        kind = ir.VectorType(INT32, lanes // 2)
        parts = (self.builder.shuffle_vector(a, b, ir.Constant(kind, half)) for half in halves)
        return self.builder.fadd(*parts)

    def inside(self, i, count):
        """A `with` block whose instructions run if i < count."""
        if count is None:
            return contextlib.nullcontext()
        return self.builder.if_then(self.builder.icmp_signed("<", INT64(i), count))


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


def _start(writer, array, at, columns):
    """A tile whose rows are all array[at : at + columns]."""
    row = [writer.load(array, *place) for place in writer.side_by_side(at, columns)]
    return [row] * writer.tile.rows


start_wide = _step(wide_tile)(_start)
start_narrow = _step(narrow_tile)(_start)


@_step()
def add_outer_product(writer, tile, a, a_at, a_step, rows, b, b_at, columns):
    """tile[r, :] += a[a_at + r·a_step] · b[b_at : b_at + columns]."""
    b_row = [writer.load(b, *place) for place in writer.side_by_side(b_at, columns)]
    for r, row in enumerate(tile):
        number = writer.number(a, writer.index(a_at, r, a_step, rows))
        row[:] = [writer.multiply_add(number, *bc) for bc in zip(b_row, row, strict=True)]
    return tile


@_step()
def store(writer, tile, array, at, step, rows, columns):
    """array[at + r·step : … + columns] = tile[r, :]."""
    for r, row in enumerate(tile):
        with writer.inside(r, rows):
            places = writer.side_by_side(writer.index(at, r, step), columns)
            for vector, place in zip(row, places, strict=True):
                writer.store(vector, array, *place)


@_step(dot_tile)
def start_sums(writer, array):
    """A tile of zeros, for sums of the array's dtype."""
    return [[writer.zeros] * writer.tile.columns] * writer.tile.rows


@_step()
def add_products(writer, tile, a, a_at, a_step, rows, b, b_at, b_step, columns, lanes):
    """tile[r, c] += a[a_at + r·a_step : … + lanes] · b[b_at + c·b_step : … + lanes]."""
    mask = None if lanes is None else writer.below(lanes)
    a_starts = [writer.index(a_at, r, a_step, rows) for r in range(writer.tile.rows)]
    a_rows = [writer.load(a, a_start, mask) for a_start in a_starts]
    for c in range(writer.tile.columns):
        b_row = writer.load(b, writer.index(b_at, c, b_step, columns), mask)
        for a_row, row in zip(a_rows, tile, strict=True):
            row[c] = writer.multiply_add(a_row, b_row, row[c])
    return tile


@_step()
def store_sums(writer, tile, array, at, step, rows, columns):
    """array[at + r·step + c] = Σ of the lanes of tile[r, c]."""
    for r, row in enumerate(tile):
        with writer.inside(r, rows):
            mask = None if columns is None else writer.below(columns, lanes=writer.tile.columns)
            writer.store(writer.sums(row), array, writer.index(at, r, step), mask)
