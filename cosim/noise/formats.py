"""How a value lies in stored bits: IEEE and small floats, integers, fixed point, and the words that hold them.

A *word* is an unsigned integer of 8, 16 or 32 bits as a memory holds it; values of fewer than 8 bits are packed,
the first value in the lowest bits. Channels and encodings work on words, quantisers make the codes that fill them.
"""

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.unsignedinteger[Any]]
Array = npt.NDArray[Any]

WORD_TYPES: dict[int, type[np.unsignedinteger[Any]]] = {8: np.uint8, 16: np.uint16, 32: np.uint32}


@dataclass(frozen=True)
class StorageFormat:
    """One number format in memory.

    bits: stored bits of a value. word_bits: bits of the word that holds it (8, 16 or 32). exponent_bits,
    mantissa_bits: of a float. fraction_bits: of a fixed-point number Q(m.n), where m counts the sign. has_infinity,
    has_nan: whether the top exponent is reserved (IEEE 754), or only its last code (the OCP form of E4M3).
    """

    name: str
    kind: Literal["float", "int", "fixed"]
    bits: int
    word_bits: int
    exponent_bits: int = 0
    mantissa_bits: int = 0
    fraction_bits: int = 0
    signed: bool = True
    has_infinity: bool = False
    has_nan: bool = False

    @property
    def values_per_word(self) -> int:
        """Values packed into one word."""
        return self.word_bits // self.bits if self.bits < 8 else 1

    @property
    def word_type(self) -> type[np.unsignedinteger[Any]]:
        """Numpy type of a word."""
        return WORD_TYPES[self.word_bits]

    @property
    def stored_bits_per_word(self) -> int:
        """Bits of a word that memory really holds (15 for Q1.14 in a 16-bit word)."""
        return self.bits * self.values_per_word

    @property
    def free_bit(self) -> int | None:
        """Bit that is 0 in every value below 2 in magnitude (the top exponent bit), or None where there is none.

        In a float with bias 2^(e-1) - 1 the top exponent bit is set from 2 on, whatever the length (IEEE 754-2019,
        section 3.4), so weights in (-1, 1) leave it free. Integers and fixed point use all their bits.
        """
        if self.kind == "float" and self.values_per_word == 1 and self.exponent_bits > 1:
            return self.bits - 2
        return None

    @property
    def code_range(self) -> tuple[int, int]:
        """Smallest and largest integer code (integers and fixed point)."""
        if self.kind == "float":
            raise ValueError(f"format {self.name} is a float: it has no integer codes")
        if self.signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1


FP32 = StorageFormat("fp32", "float", 32, 32, 8, 23, has_infinity=True, has_nan=True)
FP16 = StorageFormat("fp16", "float", 16, 16, 5, 10, has_infinity=True, has_nan=True)
BF16 = StorageFormat("bf16", "float", 16, 16, 8, 7, has_infinity=True, has_nan=True)
FP8_E5M2 = StorageFormat("fp8_e5m2", "float", 8, 8, 5, 2, has_infinity=True, has_nan=True)
FP8_E4M3 = StorageFormat("fp8_e4m3", "float", 8, 8, 4, 3, has_nan=True)
FP4_E2M1 = StorageFormat("fp4_e2m1", "float", 4, 8, 2, 1)
INT8 = StorageFormat("int8", "int", 8, 8)
UINT8 = StorageFormat("uint8", "int", 8, 8, signed=False)
INT4 = StorageFormat("int4", "int", 4, 8)
INT2 = StorageFormat("int2", "int", 2, 8)
INT16 = StorageFormat("int16", "int", 16, 16)
FORMATS = {
    f.name: f for f in (FP32, FP16, BF16, FP8_E5M2, FP8_E4M3, FP4_E2M1, INT16, INT8, UINT8, INT4, INT2)
}


def fixed_point(integer_bits: int, fraction_bits: int) -> StorageFormat:
    """Q(m.n): two's complement with m integer bits, the sign among them, and n fraction bits (Q2.14 has 16 bits)."""
    bits = integer_bits + fraction_bits
    if integer_bits < 1 or fraction_bits < 0 or not 2 <= bits <= 32:
        raise ValueError(
            f"Q{integer_bits}.{fraction_bits}: m >= 1 (it counts the sign), n >= 0 and 2 <= m+n <= 32 are allowed"
        )
    word_bits = 8 if bits <= 8 else 16 if bits <= 16 else 32
    return StorageFormat(
        f"q{integer_bits}.{fraction_bits}", "fixed", bits, word_bits, fraction_bits=fraction_bits
    )


def storage_format(name: str) -> StorageFormat:
    """The format of that name: fp32, fp16, bf16, fp8_e4m3, ..., int4, or qM.N. ValueError names the nearest."""
    match = re.fullmatch(r"q(\d+)\.(\d+)", name.lower())
    if match:
        return fixed_point(int(match[1]), int(match[2]))
    if name.lower() in FORMATS:
        return FORMATS[name.lower()]
    near = difflib.get_close_matches(name.lower(), FORMATS, n=1)
    hint = f"; nearest is {near[0]!r}" if near else ""
    raise ValueError(f"unknown number format {name!r}; allowed: {', '.join(FORMATS)}, qM.N{hint}")


@lru_cache(maxsize=16)
def float_codes(fmt: StorageFormat) -> npt.NDArray[np.float64]:
    """Value of every code of a float of at most 8 bits, sign included: [2^bits].

    Codes follow OCP 8-bit Floating Point Specification 1.0 (E4M3 without infinity, E5M2 as IEEE) and OCP Microscaling
    Formats 1.0 (E2M1 without specials).
    """
    code = np.arange(1 << (fmt.bits - 1))
    exponent = code >> fmt.mantissa_bits
    mantissa = code & ((1 << fmt.mantissa_bits) - 1)
    bias = (1 << (fmt.exponent_bits - 1)) - 1
    fraction = mantissa / (1 << fmt.mantissa_bits)
    magnitude = np.where(
        exponent == 0, np.ldexp(fraction, 1 - bias), np.ldexp(1.0 + fraction, exponent - bias)
    )
    top = exponent == (1 << fmt.exponent_bits) - 1
    if fmt.has_infinity:
        magnitude = np.where(top, np.where(mantissa == 0, np.inf, np.nan), magnitude)
    elif fmt.has_nan:
        magnitude = np.where(code == code[-1], np.nan, magnitude)
    table = np.concatenate([magnitude, -magnitude])
    table.flags.writeable = False
    return table


def nearest_code(magnitude: Array, grid: Array) -> npt.NDArray[np.int64]:
    """Index of the nearest of the ascending ``grid`` values; a tie goes to the even index, beyond the end to it."""
    middle = (grid[1:] + grid[:-1]) / 2.0
    low = np.searchsorted(middle, magnitude, side="left")
    high = np.searchsorted(middle, magnitude, side="right")
    return np.where(low % 2 == 0, low, high).astype(np.int64)


def _pack(codes: Array, fmt: StorageFormat) -> Words:
    """Unsigned codes to words; the last word is filled up with zero bits."""
    per_word = fmt.values_per_word
    flat = np.asarray(codes).reshape(-1)
    if per_word == 1:
        return flat.astype(fmt.word_type)
    padded = np.zeros(-(-flat.size // per_word) * per_word, np.uint8)
    padded[: flat.size] = flat
    words = np.zeros(padded.size // per_word, np.uint8)
    for place in range(per_word):
        words |= padded[place::per_word] << np.uint8(place * fmt.bits)
    return words


def _unpack(words: Words, fmt: StorageFormat, count: int) -> npt.NDArray[np.int64]:
    """Words to unsigned codes."""
    per_word = fmt.values_per_word
    if not 0 <= count <= words.size * per_word:
        raise ValueError(f"{count} values asked of {words.size} words of {per_word} {fmt.name} values each")
    mask = np.int64((1 << fmt.bits) - 1)
    places = np.arange(per_word, dtype=np.int64) * fmt.bits
    return ((words.astype(np.int64)[:, None] >> places) & mask).reshape(-1)[:count]


def codes_to_words(codes: Array, fmt: StorageFormat) -> Words:
    """Integer codes (any shape) to words [ceil(size / values_per_word)], two's complement.

    Raises ValueError when a code lies outside the format.
    """
    low, high = fmt.code_range
    flat = np.asarray(codes).reshape(-1)
    if flat.size and (flat.min() < low or flat.max() > high):
        raise ValueError(
            f"{fmt.name} holds codes {low} to {high}; found {flat.min()} to {flat.max()}: quantise first"
        )
    return _pack(flat.astype(np.int64) & ((1 << fmt.bits) - 1), fmt)


def words_to_codes(words: Words, fmt: StorageFormat, count: int) -> npt.NDArray[np.int64]:
    """Inverse of ``codes_to_words``: the first ``count`` integer codes."""
    codes = _unpack(words, fmt, count)
    if fmt.signed:
        codes = codes - ((codes >> (fmt.bits - 1)) << fmt.bits)
    return codes


def _float_to_words(flat: Array, fmt: StorageFormat) -> Words:
    if fmt.name == "fp32":
        with np.errstate(over="ignore"):
            return flat.astype(np.float32).view(np.uint32)
    if fmt.name == "fp16":
        with np.errstate(over="ignore"):
            return flat.astype(np.float16).view(np.uint16)
    if fmt.name == "bf16":
        with np.errstate(over="ignore"):
            bits = flat.astype(np.float32).view(np.uint32).astype(np.uint64)
        rounded = (bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) >> np.uint64(16)
        quiet = (bits >> np.uint64(16)) | np.uint64(0x40)
        return np.where(np.isnan(flat), quiet, rounded).astype(np.uint16)
    table = float_codes(fmt)[: 1 << (fmt.bits - 1)]
    finite = int(np.isfinite(table).sum())
    magnitude = np.abs(flat.astype(np.float64))
    index = nearest_code(np.nan_to_num(magnitude, nan=0.0), table[:finite])
    limit = table[finite - 1] + (table[finite - 1] - table[finite - 2]) / 2.0
    index = np.where(magnitude >= limit, finite if fmt.has_nan else finite - 1, index)
    index = np.where(np.isnan(flat), len(table) - 1, index)
    sign = np.signbit(flat).astype(np.int64) << (fmt.bits - 1)
    return _pack(index | sign, fmt)


def to_words(
    values: Array,
    fmt: StorageFormat,
    *,
    overflow: Literal["refuse", "ieee"] = "refuse",
    what: str = "tensor",
) -> Words:
    """Values (any shape, row-major) to words.

    Floats are rounded to nearest even. Integers and fixed-point values must lie on the grid already. A value that is
    not finite, or too large for the format, raises ValueError unless ``overflow="ieee"``, which stores infinity or
    NaN as the format has it (the value of a network that already carries errors).
    """
    flat = np.ascontiguousarray(values).reshape(-1)
    if fmt.kind != "float":
        codes = np.asarray(flat, np.float64) * float(1 << fmt.fraction_bits)
        if flat.size and not np.array_equal(codes, np.rint(codes)):
            worst = flat[int(np.argmax(codes != np.rint(codes)))]
            raise ValueError(f"{what}: value {worst} is not on the {fmt.name} grid: quantise first")
        return codes_to_words(codes.astype(np.int64), fmt)
    if overflow == "ieee" and not fmt.has_nan and not np.isfinite(flat).all():
        raise ValueError(f"{what}: {fmt.name} has no code for infinity or NaN")
    words = _float_to_words(flat, fmt)
    if overflow == "refuse" and flat.size:
        largest = float(np.abs(flat).max())  # NaN and infinity propagate and fail the comparison
        if not largest < _overflow_from(fmt):
            raise ValueError(f"{what}: largest magnitude {largest:g} does not fit {fmt.name}")
    return words


def _overflow_from(fmt: StorageFormat) -> float:
    """Smallest magnitude that rounds beyond the largest finite value: half a step above it."""
    if fmt.bits <= 8:
        table = float_codes(fmt)
        grid = np.sort(table[np.isfinite(table)])
        return float(grid[-1] + (grid[-1] - grid[-2]) / 2.0)
    bias = (1 << (fmt.exponent_bits - 1)) - 1
    return float((2.0 - 2.0 ** -(fmt.mantissa_bits + 1)) * 2.0**bias)


def from_words(words: Words, fmt: StorageFormat, shape: tuple[int, ...]) -> Array:
    """Words to values of ``shape``: float32 for fp32, bf16 and the small floats, float16 for fp16, int64 codes for
    integers, float64 for fixed point. Inverse of ``to_words`` on the format's own values, bit for bit."""
    count = int(np.prod(shape, dtype=np.int64))
    if words.dtype != np.dtype(fmt.word_type):
        raise ValueError(f"{fmt.name} is stored in {fmt.word_bits}-bit words; found {words.dtype}")
    if fmt.kind == "int":
        return words_to_codes(words, fmt, count).reshape(shape)
    if fmt.kind == "fixed":
        return (words_to_codes(words, fmt, count) / float(1 << fmt.fraction_bits)).reshape(shape)
    if fmt.bits <= 8:
        return float_codes(fmt)[_unpack(words, fmt, count)].astype(np.float32).reshape(shape)
    if words.size != count:
        raise ValueError(f"{count} values asked of {words.size} {fmt.name} words")
    if fmt.name == "fp16":
        return words.view(np.float16).reshape(shape)
    if fmt.name == "bf16":
        return (words.astype(np.uint32) << np.uint32(16)).view(np.float32).reshape(shape)
    return words.view(np.float32).reshape(shape)


def bit_masks(fmt: StorageFormat, positions: tuple[int, ...] | None = None) -> Words:
    """One mask for every bit position of a word that may fail, in the word's type, padded with 0 to a power of two.

    ``positions``: bit numbers of a *value* (0 lowest); each value packed into the word gets them. Default: all bits
    that are stored. ValueError names a position that the format does not have.
    """
    chosen = tuple(range(fmt.bits)) if positions is None else positions
    outside = [p for p in chosen if not 0 <= p < fmt.bits]
    if outside:
        raise ValueError(
            f"bit positions {outside} are outside {fmt.name}, which has bits 0 to {fmt.bits - 1}"
        )
    places = [value * fmt.bits + p for value in range(fmt.values_per_word) for p in chosen]
    masks = [1 << place for place in places]
    size = 1 << max(0, (len(masks) - 1).bit_length())
    return np.array(masks + [0] * (size - len(masks)), dtype=fmt.word_type)


def cell_shifts(fmt: StorageFormat, bits_per_cell: int = 2) -> npt.NDArray[np.int64]:
    """Right shifts that bring each cell of a word down, cell 0 (the top bits) first, padded with -1 to a power of two.

    ValueError when the stored bits do not divide into cells.
    """
    stored = fmt.stored_bits_per_word
    if bits_per_cell not in (1, 2, 4) or stored % bits_per_cell:
        raise ValueError(
            f"{fmt.name} stores {stored} bits a word, which do not divide into cells of {bits_per_cell} bits "
            "(1, 2 or 4)"
        )
    shifts = list(range(stored - bits_per_cell, -1, -bits_per_cell))
    size = 1 << max(0, (len(shifts) - 1).bit_length())
    return np.array(shifts + [-1] * (size - len(shifts)), dtype=np.int64)
