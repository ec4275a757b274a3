"""Encodings put together from stages, what they store, and what they save per layer and in total."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cosim.noise.encodings import (
    NO_METADATA,
    FlipNWrite,
    Form,
    GroupChoice,
    Invert,
    Metadata,
    Remap,
    Rotate,
    RoundTail,
    SignBackup,
    SignMagnitude,
    Stage,
    require_words,
)
from cosim.noise.formats import StorageFormat, Words
from cosim.noise.patterns import (
    ContentCost,
    PatternHistogram,
    TransitionCost,
    pattern_histogram,
    transition_counts,
)


@dataclass(frozen=True)
class Encoded:
    """What memory holds: the words, and each stage's metadata in stage order."""

    words: Words
    metadata: tuple[Metadata, ...]
    fmt: StorageFormat
    layer: str

    @property
    def metadata_bits(self) -> int:
        """Bits stored beside the words."""
        return sum(m.bits for m in self.metadata)

    @property
    def stored_bits(self) -> int:
        """Bits of the words and of the metadata."""
        return int(self.words.size) * self.fmt.stored_bits_per_word + self.metadata_bits


@dataclass(frozen=True)
class Encoding:
    """Stages in the order in which they are applied; decoding runs them backwards."""

    name: str
    stages: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        if any(isinstance(stage, FlipNWrite) for stage in self.stages[:-1]):
            raise ValueError(
                f"encoding {self.name!r}: Flip-N-Write compares stored words, so it must be the last stage"
            )

    @property
    def lossless(self) -> bool:
        """Whether decoding gives back every bit."""
        return all(stage.lossless for stage in self.stages)

    def encode(
        self, words: Words, fmt: StorageFormat, layer: str = "tensor", previous: Encoded | None = None
    ) -> Encoded:
        """Words [n] of ``fmt`` to what memory holds. ``previous``: what it holds now (Flip-N-Write needs it).

        Raises ValueError, naming the layer, where a stage cannot hold these words.
        """
        words = require_words(words, fmt)
        metadata: list[Metadata] = []
        for index, stage in enumerate(self.stages):
            before = None if previous is None else (previous.words, previous.metadata[index])
            words, extra = stage.encode(words, fmt, layer, before)
            metadata.append(extra)
        return Encoded(words, tuple(metadata), fmt, layer)

    def decode(self, encoded: Encoded) -> Words:
        """The words, exactly (a lossy stage's rounding stays)."""
        words = encoded.words
        for stage, metadata in zip(reversed(self.stages), reversed(encoded.metadata), strict=True):
            words = stage.decode(words, metadata, encoded.fmt)
        return words

    def blank(self, fmt: StorageFormat, count: int, layer: str = "tensor") -> Encoded:
        """A memory of ``count`` zero words, as previous content for a first write. Only Flip-N-Write looks at it."""
        metadata = []
        for stage in self.stages:
            if isinstance(stage, FlipNWrite):
                blocks = -(-count * fmt.word_bits // stage.block_bits)
                metadata.append(Metadata(np.zeros(blocks, np.uint8), 1))
            else:
                metadata.append(NO_METADATA)
        return Encoded(np.zeros(count, fmt.word_type), tuple(metadata), fmt, layer)


@dataclass(frozen=True)
class Saving:
    """Share of the energy saved: gross counts the words' cells, net also the metadata bits."""

    gross: float
    net: float


@dataclass(frozen=True)
class EncodingReport:
    """One layer under one encoding. ``weight``: values the layer really has (a sample may have been encoded)."""

    layer: str
    encoding: str
    weight: float
    before: PatternHistogram
    after: PatternHistogram
    metadata_bits: int

    def saving(self, cost: ContentCost) -> Saving:
        """Saving on reading or writing the layer once, by content."""
        return total_saving([self], cost)


def report(
    encoding: Encoding, words: Words, fmt: StorageFormat, layer: str = "tensor", weight: float | None = None
) -> EncodingReport:
    """Encode one layer and count its patterns before and after."""
    encoded = encoding.encode(words, fmt, layer)
    return EncodingReport(
        layer=layer,
        encoding=encoding.name,
        weight=float(words.size) if weight is None else weight,
        before=pattern_histogram(words, fmt),
        after=pattern_histogram(encoded.words, fmt),
        metadata_bits=encoded.metadata_bits,
    )


def total_saving(reports: Sequence[EncodingReport], cost: ContentCost) -> Saving:
    """Saving over layers, each scaled from its sample to its weight."""
    before = after = extra = 0.0
    for row in reports:
        scale = row.weight / max(row.before.total, 1)
        before += scale * cost.cells(row.before)
        after += scale * cost.cells(row.after)
        extra += scale * row.metadata_bits * cost.metadata_bit_cost
    if before <= 0.0:
        raise ValueError("saving: the cells before encoding cost nothing, so there is no share to save")
    return Saving(gross=1.0 - after / before, net=1.0 - (after + extra) / before)


def total_hard_share(reports: Sequence[EncodingReport], encoded: bool = True) -> float:
    """h over layers by weight, after encoding or before."""
    shares = [(r.after if encoded else r.before).hard_share for r in reports]
    return float(np.average(shares, weights=[r.weight for r in reports]))


def delta_for_saving(hard_before: float, hard_after: float, saving: float) -> float:
    """The cost ratio delta at which E = 1 + delta h saves that share: saving / (h0 - h1 - saving h0).

    ValueError when no ratio reaches it.
    """
    slope = hard_before - hard_after - saving * hard_before
    if slope <= 0.0:
        raise ValueError(
            f"no cost ratio saves {saving:.1%} by going from h = {hard_before:.3f} to {hard_after:.3f}: the limit is "
            f"{1 - hard_after / hard_before:.1%}"
        )
    return saving / slope


def write_energy(old: Encoded, new: Encoded, cost: TransitionCost) -> float:
    """Cost of overwriting ``old`` by ``new``, cells and changed metadata bits together."""
    changed = sum(
        int(np.bitwise_count(a.values ^ b.values).sum())
        for a, b in zip(old.metadata, new.metadata, strict=True)
    )
    return cost.cells(transition_counts(old.words, new.words)) + changed * cost.metadata_bit_cost


def _rotations(group_words: int, *forms: Form) -> tuple[Stage, ...]:
    return (SignBackup(), GroupChoice(("identity", *forms), group_words))


SCHEMES: dict[str, Callable[[int], tuple[Stage, ...]]] = {
    "baseline": lambda g: (),
    "sbp": lambda g: (SignBackup(),),
    "sbp_rot14": lambda g: _rotations(g, "rotate_payload"),
    "sbp_rot16": lambda g: _rotations(g, "rotate_all"),
    "sbp_round": lambda g: (SignBackup(), RoundTail()),
    "hybrid": lambda g: _rotations(g, "rotate_payload", "round"),
    "hybrid_rot16": lambda g: _rotations(g, "rotate_all", "round"),
    "hybrid_4": lambda g: _rotations(g, "rotate_payload", "round", "round_rotate_payload"),
    "rot14": lambda g: (Rotate("payload"),),
    "rot16": lambda g: (Rotate("all"),),
    "remap": lambda g: (Remap(),),
    "remap_global": lambda g: (Remap("global"),),
    "remap_round": lambda g: (RoundTail(), Remap()),
    "sign_magnitude": lambda g: (SignMagnitude(),),
    "sign_magnitude_remap": lambda g: (SignMagnitude(), Remap()),
    "invert": lambda g: (Invert(),),
    "flip_n_write": lambda g: (FlipNWrite(),),
}


def scheme(name: str, group_words: int = 1) -> Encoding:
    """A named encoding; ``group_words`` (1 to 16) matters where a form is chosen per group.

    ``hybrid`` is sign backup and the best of identity, rot14 and rounding. ValueError names the nearest spelling.
    """
    if name not in SCHEMES:
        near = difflib.get_close_matches(name, SCHEMES, n=1)
        hint = f"; nearest is {near[0]!r}" if near else ""
        raise ValueError(f"unknown encoding {name!r}; allowed: {', '.join(SCHEMES)}{hint}")
    return Encoding(name, SCHEMES[name](group_words))
