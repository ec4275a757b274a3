"""Error correction and cheaper mitigations, as encoding stages and as closed forms.

SECDED(72,64) is Hsiao's code: 64 data bits, 8 check bits, every column of the parity matrix of odd weight, so that a
double error never looks like a single one (Hsiao, IBM Journal of Research and Development 14(4), 1970,
doi 10.1147/rd.144.0395). The stages follow the interface of ``encodings``: what they need beside the words is metadata,
is costed as such, and can be hit by errors like the words themselves.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from cosim.kernels import encode_tables
from cosim.noise.encodings import NO_METADATA, Metadata, require_words
from cosim.noise.formats import StorageFormat, Words, from_words, to_words

CODE_BITS, DATA_BITS, CHECK_BITS = 72, 64, 8
Previous = tuple[Words, Metadata] | None


def _rate(p: float) -> float:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"bit error rate {p} is outside [0, 1]")
    return p


def secded_uncorrectable(p: float, bits: int = CODE_BITS) -> float:
    """Probability that a code word of ``bits`` has two errors or more: 1 - (1-p)^n - n p (1-p)^(n-1).

    Evaluated as a binomial tail, since the sum cancels for small p.
    """
    from scipy.stats import binom

    return float(binom.sf(1, bits, _rate(p)))


def secded_residual_ber(p: float, bits: int = CODE_BITS) -> float:
    """Bit error rate after correction when uncorrectable words keep their errors: p (1 - (1-p)^(n-1)).

    Of the n p errors expected in a word, those that stand alone, n p (1-p)^(n-1), are removed.
    """
    if _rate(p) == 1.0:
        return 1.0
    return float(-p * np.expm1((bits - 1) * np.log1p(-p)))


@lru_cache(maxsize=1)
def hsiao_columns() -> tuple[int, ...]:
    """Syndrome of each of the 72 bits: data 0-63 (all 56 columns of weight 3, then 8 of weight 5), check 64-71."""
    weight3 = [sum(1 << i for i in c) for c in combinations(range(CHECK_BITS), 3)]
    # The eight rotations of one column of weight 5 keep the rows balanced: every check bit covers 26 data bits.
    weight5 = [((0b00011111 << i) | (0b00011111 >> (8 - i))) & 0xFF for i in range(CHECK_BITS)]
    return (*weight3, *weight5, *(1 << i for i in range(CHECK_BITS)))


@lru_cache(maxsize=1)
def _secded_tables() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int16]]:
    """(syndrome of each byte value in each byte of the word [8, 256], bit named by each syndrome [256])."""
    columns = hsiao_columns()
    tables = np.zeros((8, 256), np.uint8)
    for byte in range(8):
        for value in range(256):
            for bit in range(8):
                if value >> bit & 1:
                    tables[byte, value] ^= np.uint8(columns[8 * byte + bit])
    position = np.full(256, -1, np.int16)
    for bit, column in enumerate(columns):
        position[column] = bit
    return tables, position


def _as_lanes(words: Words) -> npt.NDArray[np.uint64]:
    """A copy of the words as 64-bit data words, zero words added at the end."""
    missing = -words.size % (8 // words.itemsize)
    return np.concatenate([words, np.zeros(missing, words.dtype)]).view(np.uint64)


@dataclass(frozen=True)
class Secded:
    """SECDED(72,64) over the row of words: metadata is one check byte for 64 bits (12.5 % of storage).

    ``on_detect``: leave a word with a detected double error as it is, or set its 64 bits to zero (four FP16 weights).
    """

    on_detect: Literal["keep", "zero"] = "keep"
    lossless: ClassVar[bool] = True

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str, previous: Previous
    ) -> tuple[Words, Metadata]:
        """The words as they are, and their check bytes."""
        lanes = _as_lanes(require_words(words, fmt))
        check = np.empty(lanes.size, np.uint8)
        encode_tables.check_bits(lanes, _secded_tables()[0], check)
        return words, Metadata(check, CHECK_BITS)

    def decode(self, words: Words, metadata: Metadata, fmt: StorageFormat) -> Words:
        """Corrected words."""
        return self.decode_with_status(words, metadata)[0]

    def decode_with_status(self, words: Words, metadata: Metadata) -> tuple[Words, npt.NDArray[np.uint8]]:
        """(words, status of each 64-bit word: 0 clean, 1 corrected, 2 detected). Inputs stay as they are."""
        tables, position = _secded_tables()
        lanes, check = _as_lanes(words), metadata.values.copy()
        status = np.empty(lanes.size, np.uint8)
        encode_tables.correct_words(lanes, check, tables, position, status)
        if self.on_detect == "zero":
            lanes[status == 2] = 0
        return lanes.view(words.dtype)[: words.size], status


@dataclass(frozen=True)
class RangeCheck:
    """On reading, replace by zero what is not finite or has a magnitude of ``limit`` or more. Stores nothing."""

    limit: float = 1.0
    lossless: ClassVar[bool] = True

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str, previous: Previous
    ) -> tuple[Words, Metadata]:
        """Refuses words that the check would zero without any error."""
        words = require_words(words, fmt)
        if bool(self._outside(words, fmt).any()):
            values = from_words(words, fmt, (words.size * fmt.values_per_word,))
            raise ValueError(
                f"layer {layer!r}: largest |value| {np.abs(values).max():g} is not below the range check's "
                f"limit {self.limit:g}"
            )
        return words, NO_METADATA

    def decode(self, words: Words, metadata: Metadata, fmt: StorageFormat) -> Words:
        """Zero what is out of range."""
        return np.where(self._outside(words, fmt), fmt.word_type(0), words)

    def _outside(self, words: Words, fmt: StorageFormat) -> npt.NDArray[np.bool_]:
        if fmt.kind != "float" or fmt.bits != fmt.word_bits:
            raise ValueError(f"range check compares floats of 8 bits or more, one a word; found {fmt.name}")
        magnitude = words & fmt.word_type((1 << (fmt.bits - 1)) - 1)
        return np.asarray(magnitude >= to_words(np.array([self.limit]), fmt)[0])


@dataclass(frozen=True)
class SoftBitPlacement:
    """Move the critical bits of a word into the soft (reliable) bits of its 2-bit cells.

    ``by_criticality``: bit numbers from most to least critical; None takes them from the top (sign, exponent, then
    mantissa). The first half goes to the soft bits, the second to the hard ones. ``hard_is_msb``: which bit of a pair
    the hard junction holds.
    """

    by_criticality: tuple[int, ...] | None = None
    hard_is_msb: bool = True
    lossless: ClassVar[bool] = True

    def _tables(self, fmt: StorageFormat, backward: bool) -> Words:
        bits = fmt.word_bits
        order = tuple(range(bits - 1, -1, -1)) if self.by_criticality is None else self.by_criticality
        if sorted(order) != list(range(bits)):
            raise ValueError(
                f"soft-bit placement: {order} does not order the bits 0 to {bits - 1} of {fmt.name}"
            )
        soft, hard = (0, 1) if self.hard_is_msb else (1, 0)
        targets = [bits - 2 - 2 * i + soft for i in range(bits // 2)]
        targets += [bits - 2 - 2 * i + hard for i in range(bits // 2)]
        tables = np.zeros((bits // 8, 256), np.uint64)
        byte = np.arange(256, dtype=np.uint64)
        for source, target in zip(order, targets, strict=True):
            if backward:
                source, target = target, source
            row, local = divmod(source, 8)
            tables[row] |= ((byte >> np.uint64(local)) & np.uint64(1)) << np.uint64(target)
        return tables.astype(fmt.word_type)

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str, previous: Previous
    ) -> tuple[Words, Metadata]:
        """Permute the bits."""
        if fmt.bits != fmt.word_bits:
            raise ValueError(f"layer {layer!r}: soft-bit placement needs one value a word; found {fmt.name}")
        words = require_words(words, fmt)
        out = np.empty_like(words)
        encode_tables.look_up_words(words, self._tables(fmt, backward=False), out)
        return out, NO_METADATA

    def decode(self, words: Words, metadata: Metadata, fmt: StorageFormat) -> Words:
        """Permute them back."""
        out = np.empty_like(words)
        encode_tables.look_up_words(words, self._tables(fmt, backward=True), out)
        return out


@dataclass(frozen=True)
class TernaryCells:
    """Use three of the four states of a cell: 3 bits in 2 cells (1.5 bits a cell), so a third more cells.

    ``dropped``: the state (00, 01, 10, 11 as 0 to 3) that is never written. The restriction is that of Wen et al.,
    DAC 2014, and Hong, Kim, Lee, ICCD 2014. The size in words changes; a pair of states that was never written (an
    error) decodes as the written pair with the fewest different bits.
    """

    dropped: int
    lossless: ClassVar[bool] = True

    def _table(self) -> npt.NDArray[np.uint8]:
        if self.dropped not in range(4):
            raise ValueError(f"ternary cells: state {self.dropped} cannot be dropped; 0 to 3 are allowed")
        kept = [state for state in range(4) if state != self.dropped]
        # Nine pairs for eight codes: leave out the one with the most hard cells (01, 10), the last of equals.
        pairs = [(4 * a + b, (a in (1, 2)) + (b in (1, 2))) for a in kept for b in kept]
        worst = max(range(9), key=lambda i: (pairs[i][1], i))
        return np.array([code for i, (code, _) in enumerate(pairs) if i != worst], np.uint8)

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str, previous: Previous
    ) -> tuple[Words, Metadata]:
        """Longer row of words; metadata: the count of filler words (one byte)."""
        words = require_words(words, fmt)
        filler = -words.size % 3
        data = np.concatenate([words, np.zeros(filler, words.dtype)]).view(np.uint8)
        out = np.empty(data.size // 3 * 4, np.uint8)
        encode_tables.expand_triples(data, self._table(), out)
        return out.view(fmt.word_type), Metadata(np.array([filler], np.uint8), 8)

    def decode(self, words: Words, metadata: Metadata, fmt: StorageFormat) -> Words:
        """The words again."""
        table = self._table()
        distance = np.bitwise_count(np.arange(16, dtype=np.uint8)[:, None] ^ table[None, :])
        data = np.empty(words.view(np.uint8).size // 4 * 3, np.uint8)
        encode_tables.contract_triples(words.view(np.uint8), distance.argmin(axis=1).astype(np.uint8), data)
        restored: Words = data.view(fmt.word_type)
        return restored[: restored.size - int(metadata.values[0])]


@dataclass(frozen=True)
class PointerCorrection:
    """Error-correcting pointers: each line of ``line_bits`` has spare cells that replace bits known to be stuck.

    Schechter, Loh, Strauss, Burger, ISCA 2010 (doi 10.1145/1815961.1815980): a pointer names the bit and carries its
    replacement; a line is lost when more bits than pointers have failed. It helps against permanent errors only.
    """

    pointers: int = 6
    line_bits: int = 512

    def __post_init__(self) -> None:
        if self.pointers < 0 or self.line_bits < 8 or self.line_bits % 8:
            raise ValueError(
                f"pointers {self.pointers}, line of {self.line_bits} bits: need pointers >= 0, whole bytes"
            )

    @property
    def overhead_bits(self) -> int:
        """Extra bits a line: pointer and replacement bit each, and one "full" bit (61 for 6 pointers on 512 bits)."""
        return self.pointers * ((self.line_bits - 1).bit_length() + 1) + 1

    def line_failure(self, p: float) -> float:
        """Probability that a line has more failed bits than pointers, each failed with probability ``p``."""
        from scipy.stats import binom

        return float(binom.sf(self.pointers, self.line_bits, _rate(p)))

    def correct(self, written: Words, found: Words) -> tuple[Words, int]:
        """(words as read through the pointers, lines left with errors), given what a write-and-verify found.

        In each line the lowest differing bits, up to the number of pointers, are replaced.
        """
        if written.shape != found.shape or written.dtype != found.dtype:
            raise ValueError(
                f"written {written.dtype}{written.shape} and found {found.dtype}{found.shape} differ"
            )
        result = found.copy()
        data, wrong = result.view(np.uint8), written.view(np.uint8) ^ found.view(np.uint8)
        line_bytes = self.line_bits // 8
        bad_lines = 0
        for line in np.unique(np.flatnonzero(wrong) // line_bytes):
            part = slice(line * line_bytes, (line + 1) * line_bytes)
            bits: npt.NDArray[Any] = np.unpackbits(wrong[part], bitorder="little")
            kept = bits * (np.cumsum(bits) <= self.pointers)
            data[part] ^= np.packbits(kept, bitorder="little")
            bad_lines += int(bits.sum() > self.pointers)
        return result, bad_lines
