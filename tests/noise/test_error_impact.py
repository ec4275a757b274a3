"""What content-dependent errors do to weights under each encoding, against recorded figures.

Two million weights N(0, 0.03); a cell that holds 01 or 10 errs with probability 1e-2, one of its two bits flips. The
record, an independent numpy evaluation, gives words changed 4.5, 4.0, 3.1 and 2.6 % for no encoding, sign backup,
backup with rounding and hybrid; catastrophic values (|w| >= 1, infinite, NaN) 3.3e-3, 7.0e-4 and 5.7e-4 for the first,
second and fourth; sign flips 2.5e-3 without and below 5e-6 with the backup.
"""

import numpy as np
import pytest

from cosim.noise.channels import PatternErrors
from cosim.noise.ecc import RangeCheck
from cosim.noise.formats import FP16
from cosim.noise.inject import Stream, inject
from cosim.noise.schemes import Encoded, Encoding, scheme
from tests.noise.weights import single

WEIGHTS = 2_000_000
ERRORS = [PatternErrors((0.0, 1e-2, 1e-2, 0.0))]


def after_errors(encoding: Encoding, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(values stored and read without an error, values read with them)."""
    encoded = encoding.encode(words, FP16)
    hit = inject(encoded.words, FP16, ERRORS, Stream(3, "w")).words
    clean = encoding.decode(encoded)
    wrong = encoding.decode(Encoded(hit, encoded.metadata, FP16, "w"))
    return clean.view(np.float16), wrong.view(np.float16)


@pytest.mark.parametrize(
    ("name", "changed", "catastrophic", "sign_flips"),
    [
        ("baseline", 0.045, 3.3e-3, 2.5e-3),
        ("sbp", 0.040, 7.0e-4, 0.0),
        ("sbp_round", 0.031, None, 0.0),
        ("hybrid", 0.026, 5.7e-4, 0.0),
    ],
)
def test_words_hit_and_how_badly(
    name: str, changed: float, catastrophic: float | None, sign_flips: float
) -> None:
    clean, wrong = after_errors(scheme(name), single(count=WEIGHTS))
    differ = clean.view(np.uint16) != wrong.view(np.uint16)
    assert differ.mean() == pytest.approx(changed, abs=0.0012)
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(wrong.astype(np.float32)) < 1.0)
    if catastrophic is not None:
        # Recorded to two digits; 2 million words make a standard deviation of 2e-5.
        assert bad.mean() == pytest.approx(catastrophic, abs=0.04 * catastrophic + 6e-5)
    flips = (np.signbit(clean) != np.signbit(wrong)).mean()
    assert flips == pytest.approx(sign_flips, abs=2e-4 if sign_flips else 5e-6)


def test_range_check_zeroes_exactly_the_catastrophic_values() -> None:
    words = single(count=200_000)
    plain_clean, plain = after_errors(scheme("baseline"), words)
    checked_clean, checked = after_errors(Encoding("checked", (RangeCheck(),)), words)
    np.testing.assert_array_equal(plain_clean, checked_clean)
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(plain.astype(np.float32)) < 1.0)
    assert bad.sum() > 100
    assert not checked[bad].any()
    np.testing.assert_array_equal(checked[~bad], plain[~bad])
