"""Re-forming of stored words: sign backup, rotation, rounding of the tail, and the choice among them per group.

Words are 16 or 32 bits wide, the sign on top. A cell is a pair of neighbouring bits; it is *hard* when its two bits
differ (01 or 10). The forms come from the MLC STT-RAM buffer of Jasemi, Hessabi, Bagherzadeh (Computers & Electrical
Engineering 86, 2020, doi 10.1016/j.compeleceng.2020.106698), whose abstract names the backup of the most significant
bit and the re-forming of blocks; the exact forms (rotation over width-2 or width bits, rounding to 0000, 0011, 1100,
1111) are a reading that fits the abstract.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

TILE_WORDS = 4096
FORM_IDENTITY = 0
FORM_ROTATE_PAYLOAD = 1  # all bits but the top two, so that a backed-up sign stays in its cell
FORM_ROTATE_ALL = 2
FORM_ROUND = 4  # may be added to a rotation: round first, then rotate
TAIL_TABLE = np.uint64(0xFFCCCCCC33333300)  # nearest of {0, 3, 12, 15} for 0 ... 15, one nibble each


@njit(cache=True)
def back_up_sign(words: npt.NDArray[np.unsignedinteger], out: npt.NDArray[np.unsignedinteger]) -> None:
    """Copy the top bit into the bit below it, which must be free (0 in every word)."""
    width = 8 * words.itemsize
    for i in range(words.size):
        word = np.uint32(words[i])
        out[i] = word | ((word >> np.uint32(width - 1)) << np.uint32(width - 2))


@njit(cache=True)
def drop_sign_backup(words: npt.NDArray[np.unsignedinteger], out: npt.NDArray[np.unsignedinteger]) -> None:
    """Clear the bit below the top bit."""
    keep = ~np.uint32(1 << (8 * words.itemsize - 2))
    for i in range(words.size):
        out[i] = np.uint32(words[i]) & keep


@njit(cache=True)
def rotate(
    words: npt.NDArray[np.unsignedinteger], span: int, left: bool, out: npt.NDArray[np.unsignedinteger]
) -> None:
    """Rotate the lowest ``span`` bits of each word by one place."""
    mask = np.uint32((1 << span) - 1)
    top = np.uint32(span - 1)
    if left:
        for i in range(words.size):
            low = np.uint32(words[i]) & mask
            turned = ((low << np.uint32(1)) & mask) | (low >> top)
            out[i] = (np.uint32(words[i]) & ~mask) | turned
    else:
        for i in range(words.size):
            low = np.uint32(words[i]) & mask
            turned = (low >> np.uint32(1)) | ((low & np.uint32(1)) << top)
            out[i] = (np.uint32(words[i]) & ~mask) | turned


@njit(cache=True)
def round_tail(words: npt.NDArray[np.unsignedinteger], out: npt.NDArray[np.unsignedinteger]) -> None:
    """Replace the last four bits by the nearest of 0000, 0011, 1100, 1111 (two cheap cells)."""
    for i in range(words.size):
        word = np.uint32(words[i])
        tail = (TAIL_TABLE >> np.uint64(np.uint32(4) * (word & np.uint32(15)))) & np.uint64(15)
        out[i] = (word & np.uint32(0xFFFFFFF0)) | np.uint32(tail)


@njit(cache=True)
def reform(words: npt.NDArray[np.unsignedinteger], form: int, out: npt.NDArray[np.unsignedinteger]) -> None:
    """Write the words in one form (see the FORM constants); rotations are to the right.

    Either direction pairs the same bits, so both give the same share of hard cells; they differ in which bit of a cell
    comes first, which only a transition cost sees.
    """
    source = words
    if form & FORM_ROUND:
        round_tail(words, out)
        source = out
    if form & FORM_ROTATE_PAYLOAD:
        rotate(source, 8 * words.itemsize - 2, False, out)
    elif form & FORM_ROTATE_ALL:
        rotate(source, 8 * words.itemsize, False, out)
    elif form == FORM_IDENTITY:
        for i in range(words.size):  # a slice assignment would be copied through a temporary
            out[i] = words[i]


@njit(cache=True)
def hard_cells(words: npt.NDArray[np.unsignedinteger], counts: npt.NDArray[np.uint16]) -> None:
    """Number of cells per word whose two bits differ."""
    for i in range(words.size):
        word = np.uint32(words[i])
        pairs = (word ^ (word >> np.uint32(1))) & np.uint32(0x55555555)
        pairs = (pairs & np.uint32(0x33333333)) + ((pairs >> np.uint32(2)) & np.uint32(0x33333333))
        pairs = (pairs + (pairs >> np.uint32(4))) & np.uint32(0x0F0F0F0F)
        pairs = pairs + (pairs >> np.uint32(8))
        counts[i] = (pairs + (pairs >> np.uint32(16))) & np.uint32(0xFF)


@njit(cache=True)
def add_by_group(counts: npt.NDArray[np.uint16], group_words: int) -> None:
    """Sum ``counts`` over groups in place: counts[k] becomes the sum of group k. The last group may be short."""
    size = counts.size
    step = group_words
    while step > 1 and step % 2 == 0 and size % 2 == 0:  # halving has a fixed stride and vectorises
        size //= 2
        step //= 2
        for i in range(size):
            counts[i] = counts[2 * i] + counts[2 * i + 1]
    if step > 1:
        for k in range((size + step - 1) // step):
            total = 0
            for i in range(k * step, min((k + 1) * step, size)):
                total += counts[i]
            counts[k] = total


@njit(cache=True)
def spread_over_words(values: npt.NDArray[np.uint8], group_words: int, out: npt.NDArray[np.uint8]) -> None:
    """Repeat each group's value for its words; ``out`` [words] may end inside a group."""
    if group_words == 1:
        for i in range(out.size):
            out[i] = values[i]
        return
    full = out.size // group_words
    for k in range(full):
        for j in range(group_words):
            out[k * group_words + j] = values[k]
    for i in range(full * group_words, out.size):
        out[i] = values[full]


@njit(cache=True)
def copy_where(
    source: npt.NDArray[np.unsignedinteger],
    chosen: npt.NDArray[np.uint8],
    form: int,
    target: npt.NDArray[np.unsignedinteger],
) -> None:
    """``target[i] = source[i]`` where ``chosen[i] == form``, by masking: a branch would be mispredicted."""
    wanted = np.uint8(form)
    for i in range(source.size):
        mask = np.uint32(0) - np.uint32(chosen[i] == wanted)
        target[i] ^= (np.uint32(target[i]) ^ np.uint32(source[i])) & mask


@njit(cache=True)
def choose_forms(
    words: npt.NDArray[np.unsignedinteger],
    forms: npt.NDArray[np.int64],
    group_words: int,
    out: npt.NDArray[np.unsignedinteger],
    choice: npt.NDArray[np.uint8],
) -> None:
    """Write each group of ``group_words`` words in the form with the fewest hard cells.

    ``choice`` [ceil(words / group)]: index into ``forms``; the first of equals wins. The last group may be short.
    Every step is a plain loop over a cache-sized tile, which vectorises; a loop over groups would not.
    """
    groups_a_tile = max(1, TILE_WORDS // group_words)
    tile = groups_a_tile * group_words
    formed = np.empty(tile, words.dtype)
    counts = np.empty(tile, np.uint16)
    fewest = np.empty(groups_a_tile, np.uint16)
    of_word = np.empty(tile, np.uint8)
    for start in range(0, words.size, tile):
        size = min(tile, words.size - start)
        groups = (size + group_words - 1) // group_words
        best = choice[start // group_words : start // group_words + groups]
        fewest[:] = np.uint16(65535)
        for f in range(forms.size):
            reform(words[start : start + size], forms[f], formed[:size])
            hard_cells(formed[:size], counts[:size])
            add_by_group(counts[:size], group_words)
            for k in range(groups):
                best[k] = np.uint8(f) if counts[k] < fewest[k] else best[k]
                fewest[k] = min(counts[k], fewest[k])
        spread_over_words(best, group_words, of_word[:size])
        target = out[start : start + size]
        for f in range(forms.size):
            reform(words[start : start + size], forms[f], formed[:size])
            copy_where(formed[:size], of_word[:size], f, target)


@njit(cache=True)
def undo_forms(
    words: npt.NDArray[np.unsignedinteger],
    forms: npt.NDArray[np.int64],
    group_words: int,
    choice: npt.NDArray[np.uint8],
    out: npt.NDArray[np.unsignedinteger],
) -> None:
    """Turn every group back (left) by the rotation of its form; rounding has no inverse and is left as it is.

    A choice beyond the forms (metadata in error) reads as the last form.
    """
    width = 8 * words.itemsize
    tile = max(1, TILE_WORDS // group_words) * group_words
    turned = np.empty(tile, words.dtype)
    of_word = np.empty(tile, np.uint8)
    for start in range(0, words.size, tile):
        size = min(tile, words.size - start)
        spread_over_words(choice[start // group_words :], group_words, of_word[:size])
        for i in range(size):
            of_word[i] = min(of_word[i], np.uint8(forms.size - 1))
        source = words[start : start + size]
        target = out[start : start + size]
        for i in range(size):
            target[i] = source[i]
        for f in range(forms.size):
            if forms[f] & FORM_ROTATE_PAYLOAD:
                rotate(source, width - 2, True, turned[:size])
            elif forms[f] & FORM_ROTATE_ALL:
                rotate(source, width, True, turned[:size])
            else:
                continue
            copy_where(turned[:size], of_word[:size], f, target)
