"""Running bit-error channels over stored words: random streams, passes, tensors in and out.

A channel turns into *passes* over the words, each run by one kernel. Every pass draws from its own counter-based
stream, keyed by seed, tensor, channel and the event that causes the error, so trials repeat, schemes can be compared
on the same errors, and the order of tensors or chunks does not matter. Counts are drawn, never rounded: a rate that
expects a hundredth of an error hits one tensor in a hundred.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal, Protocol, cast

import numpy as np
import numpy.typing as npt

from cosim.kernels import inject_bits, inject_cells
from cosim.noise.formats import FORMATS, StorageFormat, Words, from_words, to_words

Persistence = Literal["permanent", "persistent", "transient"]


@dataclass(frozen=True)
class Stream:
    """Which tensor is accessed, and when. Errors repeat exactly when these numbers do.

    Permanent errors (stuck cells) depend on ``seed`` and ``tensor``; persistent ones (write, retention) also on
    ``generation``, the count of writes; transient ones (read) also on ``access``, the count of reads.
    """

    seed: int
    tensor: str
    generation: int = 0
    access: int = 0

    def key(self, persistence: Persistence, channel: int, part: int) -> np.uint64:
        """64-bit key of the stream of one pass."""
        event: tuple[int, ...] = ()
        if persistence == "persistent":
            event = (self.generation,)
        elif persistence == "transient":
            event = (self.generation, self.access)
        name = repr((self.seed, self.tensor, persistence, event, channel, part)).encode()
        return np.uint64(int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little"))


@dataclass(frozen=True, eq=False)
class BitPass:
    """Flips of single bits: ``masks`` as in ``formats.bit_masks``, one rate a stored value."""

    masks: Words
    rate_zero_to_one: float
    rate_one_to_zero: float

    @property
    def rate(self) -> float:
        """Rate at which slots are visited."""
        return max(self.rate_zero_to_one, self.rate_one_to_zero)

    @property
    def slots_per_word(self) -> int:
        """Slots a word."""
        return int(self.masks.size)

    def run(self, words: Words, key: np.uint64, first_word: int) -> int:
        """Flip in place; count of flipped bits."""
        return int(
            inject_bits.flip_bits(
                words, self.masks, self.rate_zero_to_one, self.rate_one_to_zero, key, first_word
            )
        )


@dataclass(frozen=True, eq=False)
class CellPass:
    """State errors of cells: ``shifts`` as in ``formats.cell_shifts``, ``confusion`` [L, L]."""

    shifts: npt.NDArray[np.int64]
    confusion: npt.NDArray[np.float64]

    @cached_property
    def rate(self) -> float:
        """Rate at which slots are visited: the largest row error, as the kernel adds it up."""
        return float(inject_cells.accumulate_rows(self.confusion, np.zeros_like(self.confusion)))

    @property
    def slots_per_word(self) -> int:
        """Slots a word."""
        return int(self.shifts.size)

    def run(self, words: Words, key: np.uint64, first_word: int) -> int:
        """Confuse in place; count of changed cells."""
        return int(inject_cells.confuse_cells(words, self.shifts, self.confusion, key, first_word))


@dataclass(frozen=True, eq=False)
class StuckPass:
    """Bits that cannot change: ``rate`` of them, at 1 with ``share_of_ones``."""

    masks: Words
    rate: float
    share_of_ones: float

    @property
    def slots_per_word(self) -> int:
        """Slots a word."""
        return int(self.masks.size)

    def run(self, words: Words, key: np.uint64, first_word: int) -> int:
        """Force in place; count of changed bits."""
        return int(inject_bits.stick_bits(words, self.masks, self.rate, self.share_of_ones, key, first_word))


Pass = BitPass | CellPass | StuckPass


class Channel(Protocol):
    """A cause of errors, a frozen (hashable) record. ``persistence`` says which events redraw them."""

    def __hash__(self) -> int:
        """Frozen records hash by value."""

    @property
    def persistence(self) -> Persistence:
        """Until when an error stays: for ever, until the next write, or for one read."""

    def passes(self, fmt: StorageFormat) -> tuple[Pass, ...]:
        """The passes over words of this format."""


@lru_cache(maxsize=256)
def _passes(channel: Channel, fmt: StorageFormat) -> tuple[Pass, ...]:
    """The channel's passes, kept, since a campaign runs the same channel over thousands of small accesses."""
    return channel.passes(fmt)


@dataclass(frozen=True)
class Injection:
    """Words after an access, and how many bits (or cells) each channel changed. ``words`` is the input itself,
    not a copy, when no channel touched it."""

    words: Words
    changed: tuple[int, ...]


def inject(
    words: Words,
    fmt: StorageFormat,
    channels: Sequence[Channel],
    stream: Stream,
    *,
    first_word: int = 0,
    in_place: bool = False,
) -> Injection:
    """Run every channel over the words [n] of one tensor (or of its part that starts at ``first_word``).

    The channels act in the order given. A chunk gets the errors it would get as part of the whole. Without an error the
    cost does not depend on the size: nothing is read or copied.
    """
    if words.ndim != 1 or words.dtype != np.dtype(fmt.word_type) or not words.flags.c_contiguous:
        raise ValueError(
            f"{fmt.name} needs a contiguous 1-d array of {np.dtype(fmt.word_type)} words; "
            f"found {words.ndim}-d {words.dtype}"
        )
    changed = []
    owned = in_place
    for index, channel in enumerate(channels):
        count = 0
        for part, step in enumerate(_passes(channel, fmt)):
            key = stream.key(channel.persistence, index, part)
            if not owned:
                low = first_word * step.slots_per_word
                high = low + words.size * step.slots_per_word
                if inject_bits.first_candidate(step.rate, key, low, high) < 0:
                    continue
                words, owned = words.copy(), True
            count += step.run(words, key, first_word)
        changed.append(count)
    return Injection(words, tuple(changed))


def inject_values(
    values: npt.NDArray[Any], fmt: StorageFormat, channels: Sequence[Channel], stream: Stream
) -> npt.NDArray[Any]:
    """Values of any shape through memory: to words of ``fmt``, errors, and back (see ``formats.from_words``)."""
    words = to_words(values, fmt, overflow="ieee", what=stream.tensor)
    return from_words(inject(words, fmt, channels, stream).words, fmt, values.shape)


def inject_tensor(tensor: Any, channels: Sequence[Channel], stream: Stream) -> Any:
    """A torch tensor (float32, float16, bfloat16, int8, uint8) as memory returns it.

    The same object comes back when no bit changed. Raises ValueError for other types.
    """
    import torch

    names = {
        torch.float32: "fp32",
        torch.float16: "fp16",
        torch.bfloat16: "bf16",
        torch.int8: "int8",
        torch.uint8: "uint8",
    }
    if tensor.dtype not in names:
        raise ValueError(
            f"tensor {stream.tensor!r}: {tensor.dtype} is not one of {', '.join(map(str, names))}"
        )
    fmt = FORMATS[names[tensor.dtype]]
    signed = {8: torch.int8, 16: torch.int16, 32: torch.int32}[fmt.word_bits]
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    words = cast(Words, flat.view(signed).numpy().view(fmt.word_type))
    result = inject(words, fmt, channels, stream)
    if result.words is words:
        return tensor
    back = torch.from_numpy(result.words.view(np.dtype(f"int{fmt.word_bits}"))).view(tensor.dtype)
    return back.reshape(tensor.shape).to(tensor.device)
