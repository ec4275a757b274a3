"""Row-stationary arrays in the manner of Eyeriss: passes, their cycles and their buffer traffic.

A processing pass takes n images, p filters and q channels in every element, over e output rows, with r sets of
elements for other channels and t for other filters. A layer of N images, M filters, C channels per group, E output
rows of F columns, kernels of R x R and stride U needs (eq. 1)

    passes = N / n * G * ceil(M / (p t)) * ceil(C / (q r)) * ceil(E / e)

A pass lasts as long as the slowest of its elements, of the network that carries partial sums (four 16-bit words a
cycle and direction) and of the one that carries the input (one word a cycle), its ramp left out (eq. 2)

    pass = max(n p q R F,  n p t e F / 4,  n q r ((e - 1) U + R) ((F - 1) U + R))

The load of the next pass's filters, not overlapped, would add (eq. 3)

    load = p t q r R R / 4                            four 16-bit weights a cycle on the 64-bit bus

Every pass reads and writes its partial sums, and every group of p t filters reads the input again, in strips of e
output rows that overlap by R - U input rows; in 16-bit words the global buffer moves (eq. 4)

    traffic = 2 N G M E F ceil(C / (q r))  +  N G C ceil(M / (p t)) ((E - B) U + B R) ((F - 1) U + R),   B = ceil(E / e)

and the pass keeps R e r t elements busy (eq. 5).

Sources: Chen et al., JSSC 52(1) 2017, doi:10.1109/JSSC.2016.2616357, table III for the mappings, section IV for the
widths of the networks; the equations are this project's reading of its section V. Eq. 4 gives the buffer accesses of
table V to its printed digits for four of the five layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

PSUM_WORDS_PER_CYCLE = 4
IFMAP_WORDS_PER_CYCLE = 1
WORD_BYTES = 2


@dataclass(frozen=True)
class RowStationaryLayer:
    """A convolution in the paper's letters, channels and filters per group."""

    images: int
    groups: int
    filters: int
    channels: int
    rows: int
    cols: int
    kernel: int
    stride: int = 1

    @property
    def outputs(self) -> int:
        """Output values of all groups and images."""
        return self.images * self.groups * self.filters * self.rows * self.cols

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.outputs * self.channels * self.kernel**2

    @property
    def input_cols(self) -> int:
        """Columns of the padded input that the outputs read."""
        return (self.cols - 1) * self.stride + self.kernel

    def input_rows(self, output_rows: int) -> int:
        """Rows of the padded input that so many output rows read."""
        return (output_rows - 1) * self.stride + self.kernel


@dataclass(frozen=True)
class RowStationaryMapping:
    """n, e, p, q, r, t of the paper's table III."""

    n: int
    e: int
    p: int
    q: int
    r: int
    t: int


@dataclass(frozen=True)
class Passes:
    """Passes of a layer, cycles of each by what bounds them, and what the global buffer moves.

    Attributes
    ----------
    count:              passes (eq. 1)
    compute_cycles, psum_cycles, ifmap_cycles: the three terms of eq. 2, for one pass
    filter_load_cycles: eq. 3
    buffer_words:       eq. 4, for the layer, 16-bit words
    active_elements:    eq. 5
    """

    count: int
    compute_cycles: int
    psum_cycles: float
    ifmap_cycles: float
    filter_load_cycles: float
    buffer_words: int
    active_elements: int

    @property
    def cycles_each(self) -> float:
        """Eq. 2."""
        return max(float(self.compute_cycles), self.psum_cycles, self.ifmap_cycles)

    @property
    def cycles(self) -> float:
        """Cycles of the layer without ramps (eq. 1 times eq. 2)."""
        return self.count * self.cycles_each

    @property
    def cycles_with_load(self) -> float:
        """The same with filter loads that nothing hides."""
        return self.count * (self.cycles_each + self.filter_load_cycles)

    @property
    def buffer_bytes(self) -> int:
        """Bytes through the global buffer."""
        return WORD_BYTES * self.buffer_words


def passes(layer: RowStationaryLayer, mapping: RowStationaryMapping) -> Passes:
    """Eq. 1 to 5; raises ``ValueError`` for a mapping of more images than the layer has."""
    if mapping.n > layer.images:
        raise ValueError(
            f"found a pass of {mapping.n} images, allowed at most the {layer.images} of the layer"
        )
    strips = ceil(layer.rows / mapping.e)
    reloads = ceil(layer.filters / (mapping.p * mapping.t))
    rounds = ceil(layer.channels / (mapping.q * mapping.r))
    count = ceil(layer.images / mapping.n) * layer.groups * reloads * rounds * strips
    psum = mapping.n * mapping.p * mapping.t * mapping.e * layer.cols
    ifmap = mapping.n * mapping.q * mapping.r * layer.input_rows(mapping.e) * layer.input_cols
    strip_rows = (layer.rows - strips) * layer.stride + strips * layer.kernel
    image_words = layer.images * layer.groups * layer.channels * strip_rows * layer.input_cols
    return Passes(
        count=count,
        compute_cycles=mapping.n * mapping.p * mapping.q * layer.kernel * layer.cols,
        psum_cycles=psum / PSUM_WORDS_PER_CYCLE,
        ifmap_cycles=ifmap / IFMAP_WORDS_PER_CYCLE,
        filter_load_cycles=mapping.p * mapping.t * mapping.q * mapping.r * layer.kernel**2 / 4,
        buffer_words=2 * layer.outputs * rounds + reloads * image_words,
        active_elements=layer.kernel * mapping.e * mapping.r * mapping.t,
    )


def channels_per_pass(layer: RowStationaryLayer, buffer_bytes: float) -> int:
    """q r of an unpublished mapping from the bytes that the global buffer moved, at least 1.

    Partial sums alone: the whole number nearest to 2 N G M E F C words over the traffic (eq. 4 without its second
    term, so the estimate is low where the input takes a large share).
    """
    return max(1, round(2 * WORD_BYTES * layer.outputs * layer.channels / buffer_bytes))


def least_cycles(layer: RowStationaryLayer, channels: int, elements: int) -> float:
    """A lower bound without a mapping: all elements busy, or partial sums of ``channels`` a pass on their network."""
    rounds = ceil(layer.channels / channels)
    return max(layer.macs / elements, layer.outputs * rounds / PSUM_WORDS_PER_CYCLE)
