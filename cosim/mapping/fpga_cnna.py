"""How CNNA lays a layer on its stream engine: splits, packets, words on each DMA port.

A build has ``pes`` processing elements; a word of the streams holds ``lanes`` elements (DMA width / data width),
a packet ``out`` words, so an element multiplies lanes * out values a cycle. With c = lanes * ceil(C / lanes):

    packets = ceil(R * S * c / (lanes * out))                     of one position and round       (eq. 1)
    filters_per_split = lanes * floor(depth * pes * lanes * out / (R * S * C + lanes * out) / lanes)   (eq. 2)
    splits = ceil(K / filters_per_split)                                                          (eq. 3)
    rounds = splits * ceil(filters_per_split / pes), the last split only as far as it goes        (eq. 4)

A layer with one position (fully connected) keeps no weights: one split serves one filter of every element.
Split i reads the whole input map, reads back the i - 1 splits of the output map that exist and writes it grown by
its own (stitching), in words, with f = filters_per_split / lanes:

    x_words = splits * H * W * c / lanes          (a first layer of 8-bit pixels: all bytes of H W C once)    (eq. 5)
    y_words = P * Q * sum_i i * f,   buf_words = P * Q * sum_(i < splits) i * f                    (eq. 6)
    w_words = K * (packets + 1) * out             (one packet carries the bias)                    (eq. 7)

Cycles of the engine, with one packet every ``packet_ii`` cycles (2 with FIFOs of depth one, 1 with deeper ones)
and the output port that takes a word every ``packet_ii`` cycles as well:

    cycles = max(P * Q * rounds * packet_ii * (packets + bias), packet_ii * y_new_words)            (eq. 8)

Source: the authors' driver, HLS parameters, board log and SystemC simulations, github.com/jonathan93sh/CNNA
(commit 32bbaf4); Bjerge et al., arXiv 2004.13075. Eq. 8 with packet_ii 2 and one bias packet is read off the 60
simulated points of their design-space exploration; the equations for words reproduce the board log exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.components.params import Value
from cosim.ir.batch import Array, LayerBatch


@dataclass(frozen=True)
class CnnaBuild:
    """A build of the template; numbers or (points, 1) arrays.

    data_bits: width of an element; dma_bits: width of a stream word; pes, out: see the module; wbuf_words: depth
    of the weight buffer of one element, in packets.
    """

    data_bits: Value
    dma_bits: Value
    pes: Value
    out: Value
    wbuf_words: Value

    @property
    def lanes(self) -> Value:
        """Elements in a word."""
        return self.dma_bits / self.data_bits

    @property
    def macs_per_cycle(self) -> Value:
        """Multipliers of the build."""
        return self.pes * self.lanes * self.out


@dataclass(frozen=True)
class CnnaLayout:
    """Counts of a layer, shape (L,) or (points, L); words of the DMA width."""

    packets: Array
    positions: Array
    splits: Array
    rounds: Array
    x_words: Array
    buf_words: Array
    y_words: Array
    y_new_words: Array
    w_words: Array
    filters_per_split: Array


def lay_out(layers: LayerBatch, build: CnnaBuild, pixel_bytes: Value) -> CnnaLayout:
    """Eq. 1 to 7 for convolutions and fully connected layers (other layers give numbers without meaning).

    ``pixel_bytes`` above 0: layers of at most three channels stream packed pixels of that many bytes a channel.
    """
    lanes, chunk = build.lanes, build.lanes * build.out
    taps = layers.R * layers.S
    channel_words = np.ceil(layers.C / lanes)
    packets = np.ceil(taps * channel_words * lanes / chunk)
    positions = layers.N * layers.P * layers.Q
    connected = positions <= layers.N
    room = np.floor(build.wbuf_words * build.macs_per_cycle / (taps * layers.C + chunk) / lanes) * lanes
    per_split = np.where(
        connected, build.pes, np.minimum(np.maximum(room, lanes), np.ceil(layers.K / lanes) * lanes)
    )
    splits = np.ceil(layers.K / per_split)
    last = layers.K - (splits - 1.0) * per_split
    rounds = (splits - 1.0) * np.ceil(per_split / build.pes) + np.ceil(last / build.pes)
    words_each, words_last = np.ceil(per_split / lanes), np.ceil(last / lanes)
    earlier = words_each * (splits - 1.0) * splits * 0.5
    all_words = words_each * (splits - 1.0) + words_last
    packed = (layers.C <= 3.0) & (np.asarray(pixel_bytes) > 0.0)
    pixels = np.ceil(layers.N * layers.H * layers.W * layers.C * pixel_bytes * 8.0 / build.dma_bits)
    map_words = layers.N * layers.H * layers.W * channel_words
    y_words = np.where(connected, all_words, earlier + all_words)
    return CnnaLayout(
        packets=packets,
        positions=positions,
        splits=splits,
        rounds=rounds,
        x_words=splits * np.where(packed, pixels, map_words),
        buf_words=positions * np.where(connected, 0.0, earlier),
        y_words=positions * y_words,
        y_new_words=positions * all_words,
        w_words=layers.K * (packets + 1.0) * build.out,
        filters_per_split=per_split,
    )


def engine_cycles(layout: CnnaLayout, packet_ii: Value, bias_packets: Value) -> Array:
    """Eq. 8."""
    multiply = layout.positions * layout.rounds * (packet_ii * (layout.packets + bias_packets))
    return np.maximum(multiply, packet_ii * layout.y_new_words)


def weight_buffer_words(filters: Value, build: CnnaBuild) -> Value:
    """Depth of the weight buffers for ``filters`` filters of the largest layer (3 x 3 x 512) with their biases."""
    return np.ceil(3.0 * 3.0 * 512.0 * filters / build.macs_per_cycle) + filters


@dataclass(frozen=True)
class DesignPoint:
    """One point of the authors' design space."""

    data_bits: int
    dma_bits: int
    pes: int
    out: int

    @property
    def build(self) -> CnnaBuild:
        """The point as a build for 64 filters."""
        plain = CnnaBuild(float(self.data_bits), float(self.dma_bits), float(self.pes), float(self.out), 0.0)
        words = weight_buffer_words(64.0, plain)
        return CnnaBuild(plain.data_bits, plain.dma_bits, plain.pes, plain.out, words)


def design_space() -> tuple[DesignPoint, ...]:
    """The 60 points: width {32, 16, 8} x DMA {128, 64} x elements {4 .. 64} x out {3, 1}.

    The authors report no result for the ten with 32-bit data on 64-bit streams.
    """
    return tuple(
        DesignPoint(data, dma, pes, out)
        for data in (32, 16, 8)
        for dma in (128, 64)
        for out in (3, 1)
        for pes in (4, 8, 16, 32, 64)
    )


def simulated_test_cycles(layers: LayerBatch, point: DesignPoint) -> Array:
    """Cycles of one of the authors' test benches: the weights first, then the engine (eq. 8 and 9).

        cycles = load * w_words + eq. 8,   load = 3 cycles a word with out = 3, 2 with out = 1     (eq. 9)

    A layer of one position (fully connected) keeps no weights and multiplies while they arrive: the greater of the
    two. The load is read off that test on one design (3.01 and 2.00 cycles a word).
    """
    layout = lay_out(layers, point.build, 0.0)
    load = (3.0 if point.out == 3 else 2.0) * layout.w_words
    engine = engine_cycles(layout, 2.0, 1.0)
    return np.where(layout.positions <= layers.N, np.maximum(load, engine), load + engine)
