"""Table-driven codes on stored words: byte look-ups, Flip-N-Write, restricted (ternary) cells and SECDED words."""

import numpy as np
import numpy.typing as npt
from numba import njit


@njit(cache=True)
def look_up_words(
    words: npt.NDArray[np.unsignedinteger],
    tables: npt.NDArray[np.unsignedinteger],
    out: npt.NDArray[np.unsignedinteger],
) -> None:
    """``out = tables[0][byte 0] | tables[1][byte 1] | ...``, byte 0 the lowest of a word.

    ``tables`` [bytes a word, 256] in the type of the words. Any map that sends the bits of each byte somewhere on its
    own (a remap of cell patterns, a permutation of bits) has this form.
    """
    for i in range(words.size):
        word = np.uint64(words[i])
        value = np.uint64(tables[0, np.int64(word & np.uint64(255))])
        for byte in range(1, tables.shape[0]):
            word >>= np.uint64(8)
            value |= np.uint64(tables[byte, np.int64(word & np.uint64(255))])
        out[i] = value


@njit(cache=True)
def flip_and_write(
    stored: npt.NDArray[np.unsignedinteger],
    flags: npt.NDArray[np.uint8],
    data: npt.NDArray[np.unsignedinteger],
    cost: npt.NDArray[np.float64],
    flag_cost: float,
    block_words: int,
    out: npt.NDArray[np.unsignedinteger],
    new_flags: npt.NDArray[np.uint8],
) -> float:
    """Write ``data`` over ``stored``, each block plain or inverted, whichever costs less; return the total cost.

    ``cost`` [256]: cost of overwriting four bits, index 16 * old + new; inverting the new bits is index ^ 15.
    ``flag_cost``: cost of changing a block's flag. The last block may be short. Equal costs leave a block plain.
    """
    total = 0.0
    nibbles = 2 * data.itemsize
    ones = ~data.dtype.type(0)
    for block in range(flags.size):
        low = block * block_words
        high = min(low + block_words, data.size)
        plain = flag_cost if flags[block] != 0 else 0.0
        inverted = flag_cost - plain
        for i in range(low, high):
            old, new = np.uint64(stored[i]), np.uint64(data[i])
            for _ in range(nibbles):
                at = np.int64((old & np.uint64(15)) << np.uint64(4) | (new & np.uint64(15)))
                plain += cost[at]
                inverted += cost[at ^ 15]
                old >>= np.uint64(4)
                new >>= np.uint64(4)
        turn = np.uint8(inverted < plain)
        new_flags[block] = turn
        total += plain + (inverted - plain) * turn
        mask = ones * data.dtype.type(turn)
        for i in range(low, high):
            out[i] = data[i] ^ mask
    return total


@njit(cache=True)
def expand_triples(
    data: npt.NDArray[np.uint8], table: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]
) -> None:
    """Every 3 bytes become 4: each 3 bits, lowest first, become the 4 bits (two cells) of ``table`` [8]."""
    for k in range(data.size // 3):
        bits = np.uint32(data[3 * k]) | (np.uint32(data[3 * k + 1]) << np.uint32(8))
        bits |= np.uint32(data[3 * k + 2]) << np.uint32(16)
        for j in range(4):
            low = table[np.int64((bits >> np.uint32(6 * j)) & np.uint32(7))]
            high = table[np.int64((bits >> np.uint32(6 * j + 3)) & np.uint32(7))]
            out[4 * k + j] = low | (high << np.uint8(4))


@njit(cache=True)
def contract_triples(
    data: npt.NDArray[np.uint8], table: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]
) -> None:
    """Inverse of ``expand_triples``; ``table`` [16] gives 3 bits for each 4 (any value for pairs that are unused)."""
    for k in range(data.size // 4):
        bits = np.uint32(0)
        for j in range(4):
            byte = data[4 * k + j]
            bits |= np.uint32(table[byte & np.uint8(15)]) << np.uint32(6 * j)
            bits |= np.uint32(table[byte >> np.uint8(4)]) << np.uint32(6 * j + 3)
        out[3 * k] = np.uint8(bits & np.uint32(255))
        out[3 * k + 1] = np.uint8((bits >> np.uint32(8)) & np.uint32(255))
        out[3 * k + 2] = np.uint8((bits >> np.uint32(16)) & np.uint32(255))


@njit(cache=True)
def check_bits(
    data: npt.NDArray[np.uint64], syndromes: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]
) -> None:
    """Check byte of each 64-bit word: exclusive or of ``syndromes`` [8 bytes, 256], one row a byte of the word."""
    for i in range(data.size):
        word = data[i]
        check = np.uint8(0)
        for byte in range(8):
            check ^= syndromes[byte, np.int64((word >> np.uint64(8 * byte)) & np.uint64(255))]
        out[i] = check


@njit(cache=True)
def correct_words(
    data: npt.NDArray[np.uint64],
    check: npt.NDArray[np.uint8],
    syndromes: npt.NDArray[np.uint8],
    position: npt.NDArray[np.int16],
    status: npt.NDArray[np.uint8],
) -> None:
    """Decode SECDED words in place. ``position`` [256]: bit that a syndrome names (0-63 data, 64-71 check), or -1.

    ``status``: 0 clean, 1 one bit corrected, 2 detected and left as it is.
    """
    for i in range(data.size):
        syndrome = check[i]
        for byte in range(8):
            syndrome ^= syndromes[byte, np.int64((data[i] >> np.uint64(8 * byte)) & np.uint64(255))]
        where = position[syndrome]
        if syndrome == 0:
            status[i] = 0
        elif where < 0:
            status[i] = 2
        else:
            status[i] = 1
            if where < 64:
                data[i] ^= np.uint64(1) << np.uint64(where)
            else:
                check[i] ^= np.uint8(1) << np.uint8(where - 64)
