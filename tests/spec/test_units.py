"""Quantities: what is accepted, the exact value, and the message for what is not."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.spec.problems import Refusal, Refused
from cosim.spec.units import expected, parse, readable, scale_of, unit_table


@pytest.mark.parametrize(
    ("text", "suffix", "value"),
    [
        ("850 fJ", "pj", 0.85),
        ("1.2 GHz", "hz", 1.2e9),
        ("200 MHz", "hz", 2e8),
        ("20 kHz", "hz", 20e3),
        ("1000 fps", "hz", 1000.0),
        ("10 GS/s", "hz", 1e10),
        ("64 KiB", "bytes", 65536.0),
        ("64 KB", "bytes", 64000.0),
        ("64 kB", "bytes", 64000.0),
        ("2 MiB", "bytes", 2097152.0),
        ("1 Mibit", "bytes", 131072.0),
        ("8 bit", "bits", 8.0),
        ("2 B", "bits", 16.0),
        ("25.6 GB/s", "bytes_per_s", 25.6e9),
        ("100 Gbit/s", "bytes_per_s", 12.5e9),
        ("64 B/cycle", "bytes_per_cycle", 64.0),
        ("16 Gpx/s", "px_per_s", 16e9),
        ("-25 dBm", "dbm", -25.0),
        ("3 dB", "db", 3.0),
        ("3.74 um", "um", 3.74),
        ("3.74 µm", "nm", 3740.0),
        ("532 nm", "m", 5.32e-7),
        ("5 us", "s", 5e-6),
        ("5 us", "ns", 5000.0),
        ("2 min", "s", 120.0),
        ("40 W", "mw", 40000.0),
        ("0.5 mm2", "mm2", 0.5),
        ("0.5 mm²", "um2", 5e5),
        ("0.9 V", "v", 0.9),
        ("900 mV", "v", 0.9),
        ("1.4 pJ/bit", "pj_per_bit", 1.4),
        ("1.4 pJ/bit", "pj_per_byte", 11.2),
        ("2 nJ/MAC", "pj_per_mac", 2000.0),
        ("35.6 TFLOP/s", "flops_per_s", 35.6e12),
        ("8 TOP/s", "ops_per_s", 8e12),
        ("10 W/mm2", "mw_per_mm2", 1e4),
        ("0.8 A/W", "a_per_w", 0.8),
        ("300 K", "k", 300.0),
        ("15 %", "fraction", 0.15),
        ("15%", "ratio", 0.15),
        ("15 %", "pct", 15.0),
        ("3 cycles", "cycles", 3.0),
        ("1e-3 s", "ns", 1e6),
        ("  7.5GHz ", "hz", 7.5e9),
        (".5 ns", "ps", 500.0),
        ("-1.5e1 mV", "mv", -15.0),
    ],
)
def test_quantities(text: str, suffix: str, value: float) -> None:
    assert parse(text, suffix) == value


def refusal(text: str, suffix: str) -> Refusal:
    with pytest.raises(Refused) as caught:
        parse(text, suffix)
    (one,) = caught.value.refusals
    return one


@pytest.mark.parametrize(
    ("text", "suffix", "found", "allowed"),
    [
        ("5 ns", "hz", "'5 ns' (time)", "a frequency such as '200 MHz'"),
        ("200 MHz", "ns", "'200 MHz' (frequency)", "a time such as '5 ns'"),
        ("5 pJ", "pj_per_bit", "'5 pJ' (energy)", "an energy per amount of data such as '1 pJ/bit'"),
        ("5 pJ/bit", "pj", "'5 pJ/bit' (energy per amount of data)", "an energy such as '850 fJ'"),
        ("5 GB", "bytes_per_s", "'5 GB' (amount of data)", "a data rate such as '25.6 GB/s'"),
        ("5 GB/s", "bytes", "'5 GB/s' (data rate)", "an amount of data such as '64 KiB'"),
        ("3 dB", "dbm", "'3 dB' (ratio in decibel)", "a power in dBm such as '-25 dBm'"),
        ("3 mm", "mm2", "'3 mm' (length)", "an area such as '0.5 mm2'"),
        (
            "5 MAC",
            "ops_per_s",
            "'5 MAC' (number of multiply-accumulates)",
            "a rate of operations such as '8 TOP/s'",
        ),
        ("15 %", "count", "'15 %' (ratio)", "a plain number"),
        ("5 W", "fraction", "'5 W' (power)", "a ratio such as 0.15 or '15 %'"),
    ],
)
def test_the_wrong_dimension_is_named(text: str, suffix: str, found: str, allowed: str) -> None:
    one = refusal(text, suffix)
    assert (one.found, one.allowed) == (found, allowed)


@pytest.mark.parametrize(
    ("text", "suffix", "hint"),
    [
        ("64 Kb", "bytes", "write kbit or KB"),
        ("1 Gb", "bytes", "write Gbit or GB"),
        ("8 b", "bits", "write bit or B"),
        ("1 Gb/s", "bytes_per_s", "write Gbit or GB"),
        ("10 Gbps", "bytes_per_s", "write Gbit/s or GB/s"),
        ("8 TOPS", "ops_per_s", "write TOP/s"),
        ("35 TFLOPS", "flops_per_s", "write TFLOP/s"),
        ("25 C", "k", "write kelvin (25 C is 298.15 K)"),
    ],
)
def test_ambiguous_units_are_refused_with_a_way_out(text: str, suffix: str, hint: str) -> None:
    one = refusal(text, suffix)
    assert "the ambiguous unit" in one.found
    assert one.hint == hint


@pytest.mark.parametrize(
    ("text", "suffix", "hint"),
    [
        ("5 ghz", "hz", "'GHz'"),
        ("5 KHz", "hz", "'kHz'"),
        ("5 pj", "pj", "'pJ'"),
        ("5 GB/sec", "bytes_per_s", ""),
    ],
)
def test_unknown_units_get_the_nearest_spelling(text: str, suffix: str, hint: str) -> None:
    one = refusal(text, suffix)
    assert "unknown unit" in one.found
    assert hint in one.hint


@pytest.mark.parametrize(
    "text", ["", "fast", "GHz", "-", ".", "1,5 GHz", "1_000 Hz", "1.2.3 Hz", "1 2 GHz", "0x10 Hz"]
)
def test_text_that_is_no_quantity(text: str) -> None:
    assert refusal(text, "hz").allowed == "a frequency such as '200 MHz'"


def test_a_number_in_quotes_is_not_a_quantity() -> None:
    assert refusal("5", "hz").found == "'5' (a number in quotes)"


def test_numbers_beyond_range_are_refused() -> None:
    assert "beyond the range" in refusal("1e300 THz", "hz").found


FACTORS = {"f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "": 0}


@given(
    mantissa=st.integers(0, 10**12),
    decimals=st.integers(0, 12),
    written=st.sampled_from(sorted(FACTORS)),
    canonical=st.sampled_from(["f", "p", "n", "u", "m", ""]),
)
def test_conversion_is_correctly_rounded(mantissa: int, decimals: int, written: str, canonical: str) -> None:
    digits = str(mantissa).rjust(decimals + 1, "0")
    number = f"{digits[: len(digits) - decimals]}.{digits[len(digits) - decimals :]}"
    exact = Fraction(mantissa, 10**decimals) * Fraction(10) ** (FACTORS[written] - FACTORS[canonical])
    assert parse(f"{number} {written}J", f"{canonical}j") == float(exact)


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (s, expected(s).split("'")[1])
        for s in [
            "pj",
            "ns",
            "hz",
            "bytes",
            "bits",
            "px",
            "cycles",
            "macs",
            "ops",
            "flops",
            "mm2",
            "um",
            "mw",
            "v",
            "ma",
            "ohm",
            "ff",
            "k",
            "rad",
            "electrons",
            "db",
            "dbm",
            "bytes_per_s",
            "px_per_s",
            "bytes_per_cycle",
            "flops_per_s",
            "ops_per_s",
            "macs_per_s",
            "pj_per_bit",
            "pj_per_mac",
            "pj_per_op",
            "pj_per_access",
            "pj_per_conversion",
            "pj_per_px",
            "mw_per_mm2",
            "a_per_w",
            "nw_per_bit",
            "pj_per_cycle",
        ]
    ],
)
def test_every_example_in_a_message_is_accepted(suffix: str, text: str) -> None:
    assert isinstance(parse(text, suffix), float)


def test_unknown_suffixes_are_an_error_of_the_program() -> None:
    with pytest.raises(KeyError):
        scale_of("furlongs")
    with pytest.raises(KeyError):
        scale_of("pj_per_furlong")


@pytest.mark.parametrize(
    ("value", "suffix", "text"),
    [
        (2e8, "hz", "200 MHz"),
        (4.264e9, "bytes_per_s", "4.264 GB/s"),
        (65536, "bytes", "64 KiB"),
        (1000, "bytes", "1 kB"),
        (95e-6, "s", "95 us"),
        (0.0, "s", "0 s"),
        (0.5, "pj_per_bit", "500 fJ/bit"),
        (29600, "mw", "29.6 W"),
        (532, "nm", "532 nm"),
        (0.044, "mm2", "0.044 mm2"),
        (0.0, "mw", "0 mW"),
        (77.824e9, "px_per_s", "77.824 Gpx/s"),
        (0.9, "fraction", "0.9"),
        (128, "count", "128"),
        (1e-12, "s", "1 ps"),
        (1e-18, "s", "1e-18 s"),
    ],
)
def test_readable_quantities(value: float, suffix: str, text: str) -> None:
    assert readable(value, suffix) == text


@given(
    st.floats(1e-9, 1e15, allow_nan=False),
    st.sampled_from(["hz", "s", "bytes_per_s", "px_per_s", "pj", "mw"]),
)
def test_a_readable_quantity_is_read_back(value: float, suffix: str) -> None:
    """To the six digits that are shown."""
    assert parse(readable(value, suffix), suffix) == pytest.approx(value, rel=1e-5)


def test_every_unit_of_the_table_is_read_as_its_dimension() -> None:
    suffixes = {
        "energy": "pj",
        "time": "s",
        "frequency": "hz",
        "amount of data": "bits",
        "area": "mm2",
        "power": "mw",
    }
    listed = {name: symbols for name, _, symbols in unit_table()}
    for name, suffix in suffixes.items():
        assert all(parse(f"1 {symbol}", suffix) > 0 for symbol in listed[name])
