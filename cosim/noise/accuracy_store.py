"""Tensors of a trained network as a memory keeps them: quantised or in a float format, encoded, read with errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.noise.ecc import Secded
from cosim.noise.encodings import Metadata
from cosim.noise.formats import (
    FORMATS,
    UINT8,
    StorageFormat,
    Words,
    codes_to_words,
    from_words,
    storage_format,
    to_words,
    words_to_codes,
)
from cosim.noise.inject import Channel, Stream, inject
from cosim.noise.placement import PlacementError
from cosim.noise.quantize import (
    PRESETS,
    FloatGrid,
    IntegerGrid,
    Quantized,
    Quantizer,
    Scale,
    quantizer,
    sqnr_db,
)
from cosim.noise.schemes import Encoded, Encoding

Values = npt.NDArray[np.float32]


def _code_format(grid: Any) -> StorageFormat:
    """The storage format that holds the codes of a quantiser's grid."""
    if isinstance(grid, FloatGrid):
        return FORMATS[grid.name]
    names = {2: "int2", 4: "int4", 8: "int8", 16: "int16"}
    if isinstance(grid, IntegerGrid) and not grid.signed and grid.bits == 8:
        return UINT8
    if grid.bits in names:
        return FORMATS[names[grid.bits]]
    raise PlacementError(f"stored codes of {grid.bits} bits: allowed 2, 4, 8 or 16")


@dataclass(frozen=True)
class Storage:
    """How values become words: a float format, or codes of a quantiser."""

    name: str

    @cached_property
    def quantizer(self) -> Quantizer | None:
        """The quantiser, or None for a plain float format."""
        if self.name in PRESETS:
            return quantizer(self.name)
        fmt = self._plain
        if fmt.kind == "float" and fmt.bits >= 16:
            return None
        if fmt.kind == "fixed":
            grid, step = IntegerGrid(fmt.bits), 2.0**-fmt.fraction_bits
            return Quantizer(grid, scale_rule="fixed", fixed_scale=step, rounding="half_up")
        raise PlacementError(
            f"storage {self.name!r}: a small format needs a scale; allowed {', '.join(PRESETS)}"
        )

    @cached_property
    def _plain(self) -> StorageFormat:
        try:
            return storage_format(self.name)
        except ValueError as error:
            raise PlacementError(f"storage: {error}; or a quantiser: {', '.join(PRESETS)}") from error

    @cached_property
    def fmt(self) -> StorageFormat:
        """Format of the stored words."""
        if self.quantizer is None:
            return self._plain
        if self.name not in PRESETS and self._plain.kind == "fixed":
            return self._plain
        return _code_format(self.quantizer.grid)

    def words(self, values: npt.NDArray[Any], what: str) -> tuple[Words, Quantized | None]:
        """Words of ``values``, and the quantised tensor that gives them meaning.

        ValueError for values that the format cannot hold (named with tensor and largest magnitude).
        """
        if self.quantizer is None:
            return to_words(values, self.fmt, what=what), None
        made = self.quantizer.quantize(values, what=what)
        return codes_to_words(made.codes, self._raw(made)), made

    def values(self, words: Words, made: Quantized | None, shape: tuple[int, ...]) -> Values:
        """Inverse of :meth:`words`, whatever errors the words carry."""
        if made is None:
            with np.errstate(all="ignore"):
                return np.asarray(from_words(words, self.fmt, shape), np.float32)
        codes = words_to_codes(words, self._raw(made), int(np.prod(shape))).reshape(shape)
        return np.asarray(replace(made, codes=codes).dequantize(), np.float32)

    def _raw(self, made: Quantized) -> StorageFormat:
        """Codes as integers: those of small floats and powers of two are bit patterns without a sign of their own."""
        if isinstance(made.quantizer.grid, IntegerGrid):
            return replace(self.fmt, kind="int", signed=made.quantizer.grid.signed)
        return replace(self.fmt, kind="int", signed=False)


class StoredTensor:
    """One tensor in a memory. ``clean`` is what is read back without an error."""

    def __init__(self, name: str, values: npt.NDArray[Any], storage: Storage, encoding: Encoding) -> None:
        """Encode once; raises ValueError where format or encoding cannot hold the values (tensor and maximum named)."""
        self.name, self.storage, self.encoding, self.shape = name, storage, encoding, values.shape
        words, self._made = storage.words(values, name)
        self.encoded = encoding.encode(words, storage.fmt, name)
        self.clean = storage.values(encoding.decode(self.encoded), self._made, self.shape)
        # a layer of zeros has no signal to compare with, and loses nothing
        self.sqnr_db = math.inf if np.array_equal(values, self.clean) else sqnr_db(values, self.clean)

    @property
    def stored_bits(self) -> int:
        """Bits of the words and of metadata and check bits."""
        return self.encoded.stored_bits

    def read(self, channels: tuple[Channel, ...], stream: Stream) -> Values | None:
        """The values after the errors of one access, or None where no bit has changed."""
        hit = inject(self.encoded.words, self.storage.fmt, channels, stream)
        metadata, touched = self._check_bits(channels, stream)
        if not any(hit.changed) and not touched:
            return None
        wrong = Encoded(hit.words, metadata, self.storage.fmt, self.name)
        return self.storage.values(self.encoding.decode(wrong), self._made, self.shape)

    def _check_bits(self, channels: tuple[Channel, ...], stream: Stream) -> tuple[tuple[Metadata, ...], bool]:
        """Metadata with errors in the check bits of an ECC; that of encodings is kept in safe cells."""
        metadata, touched = list(self.encoded.metadata), False
        for index, stage in enumerate(self.encoding.stages):
            if isinstance(stage, Secded):
                check = metadata[index].values
                own = Stream(stream.seed, f"{stream.tensor}.check", stream.generation, stream.access)
                found = inject(check, UINT8, channels, own)
                touched |= any(found.changed)
                metadata[index] = Metadata(found.words, metadata[index].bits_per_value)
        return tuple(metadata), touched


class ActivationMemory:
    """The memory between two layers. A quantiser's scale is that of the first tensor that passes, and stays.

    Values that errors upstream have made infinite saturate in a quantiser, and what is no number becomes zero there;
    a float format keeps both.
    """

    def __init__(self, name: str, storage: Storage) -> None:
        """Refuses (PlacementError) a quantiser with scales for parts of a tensor: the parts of an input vary."""
        self.name, self.storage = name, storage
        self._scale: Scale | None = None
        if storage.quantizer is not None and storage.quantizer.granularity != "tensor":
            raise PlacementError(
                f"activation storage {storage.name!r} scales each {storage.quantizer.granularity}; allowed one scale a "
                "tensor"
            )

    def through(self, values: npt.NDArray[Any], channels: tuple[Channel, ...], stream: Stream) -> Values:
        """``values`` written and read back with the errors of the channels."""
        storage, quantiser = self.storage, self.storage.quantizer
        if quantiser is None:
            words: Words = to_words(values, storage.fmt, overflow="ieee", what=self.name)
            made = None
        else:
            finite = np.nan_to_num(values, nan=0.0, posinf=3e38, neginf=-3e38)
            if self._scale is None:
                self._scale = quantiser.calibrate(finite, self.name)
            made = quantiser.quantize(finite, self._scale, self.name)
            words = codes_to_words(made.codes, storage._raw(made))
        hit = inject(words, storage.fmt, channels, stream).words
        return storage.values(hit, made, values.shape)
