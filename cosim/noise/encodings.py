"""Encodings of stored words as stages that compose, each with its exact inverse and its metadata costed.

The stages re-form the words of a multi-level-cell buffer so that fewer cells hold an expensive pattern. They follow the
abstract of Jasemi, Hessabi, Bagherzadeh (Computers & Electrical Engineering 86, 2020,
doi 10.1016/j.compeleceng.2020.106698): weights lie in (-1, 1), so one bit of half precision is free and holds a copy of
the most significant bit; blocks are re-formed to lower the count of costly patterns. Which re-formations, with which
rounding and group sizes, is not in the abstract: rotation over 14 or 16 bits and rounding to 0000/0011/1100/1111 are a
reading of it. Rounding is the only lossy stage.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from cosim.kernels import encode_tables, encode_words
from cosim.noise.formats import StorageFormat, Words, from_words, to_words
from cosim.noise.patterns import TransitionCost, cell_tables, pattern_histogram

Form = Literal[
    "identity", "rotate_payload", "rotate_all", "round", "round_rotate_payload", "round_rotate_all"
]
FORM_CODES: dict[str, int] = {
    "identity": encode_words.FORM_IDENTITY,
    "rotate_payload": encode_words.FORM_ROTATE_PAYLOAD,
    "rotate_all": encode_words.FORM_ROTATE_ALL,
    "round": encode_words.FORM_ROUND,
    "round_rotate_payload": encode_words.FORM_ROUND | encode_words.FORM_ROTATE_PAYLOAD,
    "round_rotate_all": encode_words.FORM_ROUND | encode_words.FORM_ROTATE_ALL,
}
LARGEST_GROUP_WORDS = 16


@dataclass(frozen=True)
class Metadata:
    """What a stage needs besides the words to undo itself: small numbers of ``bits_per_value`` bits, in uint8."""

    values: npt.NDArray[np.uint8]
    bits_per_value: int

    @property
    def bits(self) -> int:
        """Bits to be stored beside the words."""
        return int(self.values.size) * self.bits_per_value


NO_METADATA = Metadata(np.empty(0, np.uint8), 0)


class Stage(Protocol):
    """One reversible step. ``previous`` is what memory held before: (stored words, this stage's metadata), or None."""

    @property
    def lossless(self) -> bool:
        """Whether decoding gives back every bit."""

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str, previous: tuple[Words, Metadata] | None
    ) -> tuple[Words, Metadata]:
        """Words as they are to be stored, and the metadata."""

    def decode(self, words: Words, metadata: Metadata, fmt: StorageFormat) -> Words:
        """Words as they were before this stage (for a lossy stage: as it left them)."""


def require_words(words: Words, fmt: StorageFormat) -> Words:
    """The words as one contiguous row of the format's word type, or ValueError."""
    if words.dtype != np.dtype(fmt.word_type) or words.ndim != 1:
        raise ValueError(
            f"{fmt.name} needs a 1-d array of {np.dtype(fmt.word_type)} words; found {words.ndim}-d {words.dtype}"
        )
    return np.ascontiguousarray(words)


def require_full_words(words: Words, fmt: StorageFormat, layer: str) -> Words:
    """As ``require_words``, for stages that move bits across the whole word: one value fills it."""
    if fmt.bits != fmt.word_bits:
        raise ValueError(
            f"layer {layer!r}: rotation needs one value a word; {fmt.name} puts {fmt.values_per_word} value(s) of "
            f"{fmt.bits} bits into {fmt.word_bits}"
        )
    return require_words(words, fmt)


@dataclass(frozen=True)
class SignBackup:
    """Copy the sign into the free top exponent bit; decoding clears it.

    ``limit``: magnitudes from this value on are refused. 1 is the published condition; the bit is free up to 2.
    """

    limit: float = 1.0
    lossless: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0.0 < self.limit <= 2.0:
            raise ValueError(
                f"sign backup: limit {self.limit} is outside (0, 2], where the exponent bit is free"
            )

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str, previous: tuple[Words, Metadata] | None
    ) -> tuple[Words, Metadata]:
        """Refuses a format without a free bit, and a weight at or beyond the limit (named with layer and maximum)."""
        if fmt.free_bit is None:
            raise ValueError(
                f"layer {layer!r}: sign backup needs a bit that is free for small values; {fmt.name} uses all its "
                "bits (formats with a free bit: fp32, fp16, bf16, fp8_e4m3, fp8_e5m2)"
            )
        words = require_words(words, fmt)
        magnitude = words & fmt.word_type((1 << (fmt.bits - 1)) - 1)
        largest = magnitude.max() if words.size else fmt.word_type(0)
        if largest >= to_words(np.array([self.limit]), fmt)[0]:
            value = float(from_words(np.array([largest], fmt.word_type), fmt, (1,))[0])
            raise ValueError(
                f"layer {layer!r}: largest |weight| is {value:g}, outside (-{self.limit:g}, {self.limit:g}); "
                "the sign backup overwrites an exponent bit that such a weight needs"
            )
        out = np.empty_like(words)
        encode_words.back_up_sign(words, out)
        return out, NO_METADATA

    def decode(self, words: Words, metadata: Metadata, fmt: StorageFormat) -> Words:
        """Clear the copy."""
        out = np.empty_like(words)
        encode_words.drop_sign_backup(words, out)
        return out


@dataclass(frozen=True)
class Rotate:
    """Rotate each word right by one place: all its bits, or the payload (all but the top two)."""

    span: Literal["payload", "all"] = "payload"
    lossless: ClassVar[bool] = True

    def _turn(self, words: Words, fmt: StorageFormat, left: bool) -> Words:
        out = np.empty_like(words)
        encode_words.rotate(words, fmt.word_bits - (2 if self.span == "payload" else 0), left, out)
        return out

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str, previous: tuple[Words, Metadata] | None
    ) -> tuple[Words, Metadata]:
        """Rotate right."""
        return self._turn(require_full_words(words, fmt, layer), fmt, left=False), NO_METADATA

    def decode(self, words: Words, metadata: Metadata, fmt: StorageFormat) -> Words:
        """Rotate left."""
        return self._turn(words, fmt, left=True)


def _require_roundable(fmt: StorageFormat, layer: str) -> None:
    if fmt.kind != "float" or fmt.mantissa_bits < 8:
        raise ValueError(
            f"layer {layer!r}: rounding replaces the last four bits of a mantissa; {fmt.name} has "
            f"{fmt.mantissa_bits} mantissa bits (at least 8 needed: fp16, fp32)"
        )


@dataclass(frozen=True)
class RoundTail:
    """Round the last four bits to 0000, 0011, 1100 or 1111: lossy by at most 4 units in the last place."""

    lossless: ClassVar[bool] = False

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str, previous: tuple[Words, Metadata] | None
    ) -> tuple[Words, Metadata]:
        """Refuses formats whose last four bits are not the tail of a long mantissa."""
        _require_roundable(fmt, layer)
        words = require_words(words, fmt)
        out = np.empty_like(words)
        encode_words.round_tail(words, out)
        return out, NO_METADATA

    def decode(self, words: Words, metadata: Metadata, fmt: StorageFormat) -> Words:
        """The rounded words."""
        return words


@dataclass(frozen=True)
class GroupChoice:
    """Store each group of words in whichever form has the fewest hard cells (01, 10); note the form in metadata."""

    forms: tuple[Form, ...] = ("identity", "rotate_payload", "round")
    group_words: int = 1

    def __post_init__(self) -> None:
        unknown = [form for form in self.forms if form not in FORM_CODES]
        if unknown or len(self.forms) < 2:
            raise ValueError(
                f"group choice: forms {self.forms}; two or more of {', '.join(FORM_CODES)} are allowed"
            )
        if not 1 <= self.group_words <= LARGEST_GROUP_WORDS:
            raise ValueError(
                f"group choice: group of {self.group_words} words; 1 to {LARGEST_GROUP_WORDS} allowed"
            )

    @property
    def lossless(self) -> bool:
        """True without a rounding form."""
        return not any(form.startswith("round") for form in self.forms)

    @property
    def codes(self) -> npt.NDArray[np.int64]:
        """The forms as the kernels number them."""
        return np.array([FORM_CODES[form] for form in self.forms], np.int64)

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str, previous: tuple[Words, Metadata] | None
    ) -> tuple[Words, Metadata]:
        """Metadata: one index into ``forms`` a group."""
        if not self.lossless:
            _require_roundable(fmt, layer)
        words = require_full_words(words, fmt, layer)
        out = np.empty_like(words)
        choice = np.empty(-(-words.size // self.group_words), np.uint8)
        encode_words.choose_forms(words, self.codes, self.group_words, out, choice)
        return out, Metadata(choice, (len(self.forms) - 1).bit_length())

    def decode(self, words: Words, metadata: Metadata, fmt: StorageFormat) -> Words:
        """Undo each group's rotation."""
        out = np.empty_like(words)
        encode_words.undo_forms(words, self.codes, self.group_words, metadata.values, out)
        return out


@dataclass(frozen=True)
class Remap:
    """A fixed permutation of the four patterns, per cell position or one for all: the most frequent get cheap states.

    ``states_by_cost``: cell states from cheap to dear. ``table`` [cells][4]: a permutation wired into the hardware,
    which costs no metadata; without it one is fitted to the words and stored with them (8 bits a cell position, once).
    """

    scope: Literal["position", "global"] = "position"
    states_by_cost: tuple[int, int, int, int] = (0, 3, 1, 2)
    table: tuple[tuple[int, ...], ...] | None = None
    lossless: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for row in (self.states_by_cost, *(self.table or ())):
            if sorted(row) != [0, 1, 2, 3]:
                raise ValueError(f"remap: {row} is not a permutation of the four states 0, 1, 2, 3")

    def permutation(self, counts: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Pattern to state [cells, 4] for pattern counts (or shares) [cells, 4], as of one tensor or of a network."""
        if self.scope == "global":
            counts = np.broadcast_to(counts.sum(axis=0), counts.shape)
        order = np.argsort(-counts, axis=1, kind="stable")
        states = np.empty(counts.shape, np.uint8)
        np.put_along_axis(states, order, np.array(self.states_by_cost, np.uint8)[None, :], axis=1)
        return states

    def wired(self, counts: npt.NDArray[Any]) -> "Remap":
        """The same stage with the permutation for these counts fixed in hardware."""
        return replace(self, table=tuple(map(tuple, self.permutation(counts).tolist())))

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str, previous: tuple[Words, Metadata] | None
    ) -> tuple[Words, Metadata]:
        """Metadata: the fitted permutation, nothing for a given one."""
        words = require_words(words, fmt)
        cells = fmt.stored_bits_per_word // 2
        if self.table is None:
            permutation = self.permutation(pattern_histogram(words, fmt).counts)
            metadata = Metadata(permutation.reshape(-1), 2)
        else:
            permutation, metadata = np.array(self.table, np.uint8), NO_METADATA
        if permutation.shape != (cells, 4):
            raise ValueError(
                f"layer {layer!r}: remap table has {permutation.shape[0]} cells, {fmt.name} words have {cells}"
            )
        out = np.empty_like(words)
        encode_tables.look_up_words(words, cell_tables(permutation, fmt), out)
        return out, metadata

    def decode(self, words: Words, metadata: Metadata, fmt: StorageFormat) -> Words:
        """Apply the inverse permutation."""
        stored = np.array(self.table, np.uint8) if self.table is not None else metadata.values.reshape(-1, 4)
        inverse = np.argsort(stored, axis=1).astype(np.uint8)
        out = np.empty_like(words)
        encode_tables.look_up_words(words, cell_tables(inverse, fmt), out)
        return out


@dataclass(frozen=True)
class Invert:
    """Complement every stored bit. It leaves the share of hard cells as it is: 00 and 11 swap, so do 01 and 10."""

    lossless: ClassVar[bool] = True

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str, previous: tuple[Words, Metadata] | None
    ) -> tuple[Words, Metadata]:
        """Complement."""
        return require_words(words, fmt) ^ fmt.word_type((1 << fmt.stored_bits_per_word) - 1), NO_METADATA

    def decode(self, words: Words, metadata: Metadata, fmt: StorageFormat) -> Words:
        """Complement again."""
        return words ^ fmt.word_type((1 << fmt.stored_bits_per_word) - 1)


@dataclass(frozen=True)
class FlipNWrite:
    """Write each block plain or inverted, whichever is cheaper over what memory holds (Cho and Lee, MICRO 2009).

    With the default cost, one a changed bit, at most half of the bits of a block and its flag are written.
    ``transitions``: a cost per cell transition instead, for multi-level cells.
    """

    block_bits: int = 32
    transitions: TransitionCost | None = None
    lossless: ClassVar[bool] = True

    def _block_words(self, fmt: StorageFormat) -> int:
        if self.block_bits < fmt.word_bits or self.block_bits % fmt.word_bits:
            raise ValueError(
                f"Flip-N-Write: block of {self.block_bits} bits is no multiple of the {fmt.word_bits} bits "
                f"of a {fmt.name} word"
            )
        return self.block_bits // fmt.word_bits

    def _nibble_cost(self) -> npt.NDArray[np.float64]:
        nibble = np.arange(16)
        if self.transitions is None:
            changed: npt.NDArray[np.float64] = np.bitwise_count(nibble[:, None] ^ nibble).astype(np.float64)
            return changed.reshape(-1)
        cell = self.transitions.matrix
        high = cell[(nibble >> 2)[:, None], (nibble >> 2)[None, :]]
        low = cell[(nibble & 3)[:, None], (nibble & 3)[None, :]]
        return np.ascontiguousarray(high + low).reshape(-1)

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str, previous: tuple[Words, Metadata] | None
    ) -> tuple[Words, Metadata]:
        """Needs the previous content; metadata: one flag a block, whose change costs as much as one bit (or the
        dearest cell transition)."""
        if previous is None:
            raise ValueError(
                f"layer {layer!r}: Flip-N-Write compares with what memory holds: give the previous content"
            )
        words = require_words(words, fmt)
        stored, flags = previous[0], previous[1].values
        block_words = self._block_words(fmt)
        blocks = -(-words.size // block_words)
        if stored.size != words.size or flags.size != blocks:
            raise ValueError(
                f"layer {layer!r}: previous content has {stored.size} words and {flags.size} flags; "
                f"{words.size} and {blocks} are written"
            )
        out, new_flags = np.empty_like(words), np.empty(blocks, np.uint8)
        flag_cost = 1.0 if self.transitions is None else float(self.transitions.matrix.max())
        encode_tables.flip_and_write(
            stored, flags, words, self._nibble_cost(), flag_cost, block_words, out, new_flags
        )
        return out, Metadata(new_flags, 1)

    def decode(self, words: Words, metadata: Metadata, fmt: StorageFormat) -> Words:
        """Invert the flagged blocks again."""
        flag_of_word = np.repeat(metadata.values, self._block_words(fmt))[: words.size]
        full = fmt.word_type((1 << fmt.word_bits) - 1)
        return words ^ np.where(flag_of_word != 0, full, fmt.word_type(0))


@dataclass(frozen=True)
class SignMagnitude:
    """Two's complement int8 to sign and magnitude; -128, which has no counterpart, takes the code of minus zero."""

    lossless: ClassVar[bool] = True

    def _table(self) -> npt.NDArray[np.uint8]:
        value = np.arange(256, dtype=np.int64)
        signed = value - 256 * (value >> 7)
        return np.where(signed < 0, 128 | (-signed & 127), signed).astype(np.uint8)

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str, previous: tuple[Words, Metadata] | None
    ) -> tuple[Words, Metadata]:
        """Only int8 has this form."""
        if fmt.kind != "int" or fmt.bits != 8 or not fmt.signed:
            raise ValueError(f"layer {layer!r}: sign-magnitude re-codes int8; found {fmt.name}")
        return self._table()[require_words(words, fmt)], NO_METADATA

    def decode(self, words: Words, metadata: Metadata, fmt: StorageFormat) -> Words:
        """Back to two's complement."""
        return np.argsort(self._table()).astype(np.uint8)[words]
