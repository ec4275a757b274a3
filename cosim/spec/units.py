"""Quantities as people write them, converted to the unit that a field's name ends in.

`parse("850 fJ", "pj")` is 0.85. The suffix of a field (`clock_hz`, `energy_pj_per_bit`) is its unit, so no number
in the program needs another explanation. KB and kB are 1000 bytes, KiB is 1024 bytes (IEC 80000-13); a lower-case
`b`, which some write for bits and some for bytes, is refused. Quotients ("25.6 GB/s", "1.4 pJ/bit") need no table
of their own. Every conversion is one correctly rounded division of integers: "1.2 GHz" is exactly 1.2e9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cosim.spec.problems import Refused, nearest_hint, refuse

_SI = {
    "a": -18,
    "f": -15,
    "p": -12,
    "n": -9,
    "u": -6,
    "m": -3,
    "c": -2,
    "": 0,
    "k": 3,
    "M": 6,
    "G": 9,
    "T": 12,
    "P": 15,
}
_IEC = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}
_RATES = ("", "k", "M", "G", "T", "P")

# dimension: (how a message names it, an example)
_DIMENSIONS = {
    "energy": ("an energy", "850 fJ"),
    "time": ("a time", "5 ns"),
    "frequency": ("a frequency", "200 MHz"),
    "data": ("an amount of data", "64 KiB"),
    "pixel": ("a number of pixels", "2 Mpx"),
    "cycle": ("a number of cycles", "3 cycles"),
    "mac": ("a number of multiply-accumulates", "1 MAC"),
    "op": ("a number of operations", "1 op"),
    "flop": ("a number of floating-point operations", "1 FLOP"),
    "frame": ("a number of frames", "1 frame"),
    "sample": ("a number of samples", "1 sample"),
    "access": ("a number of accesses", "1 access"),
    "conversion": ("a number of conversions", "1 conversion"),
    "area": ("an area", "0.5 mm2"),
    "length": ("a length", "3.74 um"),
    "power": ("a power", "40 mW"),
    "voltage": ("a voltage", "0.9 V"),
    "current": ("a current", "30 uA"),
    "resistance": ("a resistance", "6 kOhm"),
    "capacitance": ("a capacitance", "5 fF"),
    "temperature": ("a temperature", "300 K"),
    "angle": ("an angle", "0.1 rad"),
    "electron": ("a number of electrons", "10000 electrons"),
    "level": ("a ratio in decibel", "3 dB"),
    "power level": ("a power in dBm", "-25 dBm"),
    "ratio": ("a ratio", "15 %"),
    "data/time": ("a data rate", "25.6 GB/s"),
    "pixel/time": ("a pixel rate", "16 Gpx/s"),
    "data/cycle": ("an amount of data per cycle", "64 B/cycle"),
    "flop/time": ("a floating-point rate", "35.6 TFLOP/s"),
    "op/time": ("a rate of operations", "8 TOP/s"),
    "mac/time": ("a rate of multiply-accumulates", "4 TMAC/s"),
}
_ALSO_FREQUENCY = frozenset(("sample/time", "frame/time", "cycle/time"))

# base symbol: (dimension, multiple of the base unit, SI prefixes in use)
_BASES: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "J": ("energy", 1, ("a", "f", "p", "n", "u", "m", "", "k")),
    "s": ("time", 1, ("f", "p", "n", "u", "m", "")),
    "min": ("time", 60, ("",)),
    "h": ("time", 3600, ("",)),
    "Hz": ("frequency", 1, ("", "k", "M", "G", "T")),
    "fps": ("frequency", 1, ("", "k")),
    "bit": ("data", 1, _RATES),
    "bits": ("data", 1, ("",)),
    "B": ("data", 8, _RATES),
    "byte": ("data", 8, ("",)),
    "bytes": ("data", 8, ("",)),
    "px": ("pixel", 1, _RATES),
    "cycle": ("cycle", 1, ("",)),
    "cycles": ("cycle", 1, ("",)),
    "MAC": ("mac", 1, _RATES),
    "op": ("op", 1, ("",)),
    "OP": ("op", 1, _RATES),
    "FLOP": ("flop", 1, _RATES),
    "frame": ("frame", 1, ("",)),
    "frames": ("frame", 1, ("",)),
    "S": ("sample", 1, _RATES),
    "sample": ("sample", 1, ("",)),
    "samples": ("sample", 1, ("",)),
    "access": ("access", 1, ("",)),
    "conversion": ("conversion", 1, ("",)),
    "m": ("length", 1, ("n", "u", "m", "c", "")),
    "W": ("power", 1, ("f", "p", "n", "u", "m", "", "k", "M")),
    "V": ("voltage", 1, ("u", "m", "", "k")),
    "A": ("current", 1, ("f", "p", "n", "u", "m", "")),
    "Ohm": ("resistance", 1, ("m", "", "k", "M")),
    "F": ("capacitance", 1, ("a", "f", "p", "n", "u")),
    "K": ("temperature", 1, ("m", "")),
    "rad": ("angle", 1, ("u", "m", "")),
    "electron": ("electron", 1, ("",)),
    "electrons": ("electron", 1, ("",)),
    "dB": ("level", 1, ("",)),
    "dBm": ("power level", 1, ("",)),
}

# field suffix, or one side of `_per_` in it: the symbol it stands for, where that is not the same letters
_SUFFIX_SYMBOLS = {
    **{f"{p}{unit.lower()}": f"{p}{unit}" for unit in "JWVAF" for p in ("a", "f", "p", "n", "u", "m", "", "k")},
    "khz": "kHz", "mhz": "MHz", "ghz": "GHz", "hz": "Hz", "kib": "KiB", "mib": "MiB", "kb": "kB", "mb": "MB",
    "gb": "GB", "k": "K", "ohm": "Ohm", "mac": "MAC", "macs": "MAC", "op": "OP", "ops": "OP", "flop": "FLOP",
    "flops": "FLOP", "db": "dB", "dbm": "dBm", "pct": "%", "fraction": "1", "ratio": "1", "count": "1",
}  # fmt: skip

_AMBIGUOUS = {
    **{f"{p}b": f"write {p.replace('K', 'k')}bit or {p}B" for p in ("", "k", "K", "M", "G", "T")},
    **{f"{p}bps": f"write {p}bit/s or {p}B/s" for p in _RATES},
    **{f"{p}{op}S": f"write {p}{op}/s" for p in _RATES for op in ("OP", "FLOP", "MAC")},
    "C": "write kelvin (25 C is 298.15 K)",
    "degC": "write kelvin (25 degC is 298.15 K)",
}
_QUANTITY = re.compile(r"\s*([-+]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([-+]?[0-9]{1,3}))?\s*([^\W\d_].*?|%)?\s*\Z")


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit as `numerator/denominator` base units of a dimension."""

    dimension: str
    numerator: int
    denominator: int

    def per(self, other: Scale) -> Scale:
        """The quotient of two units."""
        dimension = f"{self.dimension}/{other.dimension}"
        return Scale(
            "frequency" if dimension in _ALSO_FREQUENCY else dimension,
            self.numerator * other.denominator,
            self.denominator * other.numerator,
        )


def _power_of_ten(dimension: str, exponent: int, multiple: int = 1) -> Scale:
    return Scale(dimension, multiple * _ten(exponent), _ten(-exponent))


def _ten(exponent: int) -> int:
    """The power of ten as an integer; 1 for negative exponents, which go to the other side of a quotient."""
    return int("1" + "0" * max(exponent, 0))


def _symbols() -> Iterator[tuple[str, Scale]]:
    for symbol, (dimension, multiple, prefixes) in _BASES.items():
        for prefix in prefixes:
            yield prefix + symbol, _power_of_ten(dimension, _SI[prefix], multiple)
    for prefix, factor in _IEC.items():
        yield f"{prefix}B", Scale("data", 8 * factor, 1)
        yield f"{prefix}bit", Scale("data", factor, 1)
    yield "KB", Scale("data", 8000, 1)
    for prefix in ("n", "u", "m", "c", ""):
        yield f"{prefix}m2", _power_of_ten("area", 2 * _SI[prefix])
    yield "%", Scale("ratio", 1, 100)
    yield "ppm", Scale("ratio", 1, 10**6)
    yield "1", Scale("ratio", 1, 1)


_SYMBOLS = dict(_symbols())


def scale_of(suffix: str) -> Scale:
    """The unit that a field suffix such as `pj`, `bytes_per_s` or `count` stands for; KeyError if none."""
    above, _, below = suffix.partition("_per_")
    scale = _SYMBOLS[_SUFFIX_SYMBOLS.get(above, above)]
    return scale.per(_SYMBOLS[_SUFFIX_SYMBOLS.get(below, below)]) if below else scale


def symbol_of(suffix: str) -> str:
    """A field suffix as people write the unit: ``pJ/bit`` for ``pj_per_bit``, ``ratio`` for ``ratio``."""
    if suffix in ("count", "fraction", "ratio"):
        return suffix
    return "/".join(_SUFFIX_SYMBOLS.get(part, part) for part in suffix.split("_per_"))


_PREFIXES = tuple(
    (10.0**exponent, prefix)
    for prefix, exponent in sorted(_SI.items(), key=lambda item: -item[1])
    if prefix != "c"
)


def readable(value: float, suffix: str) -> str:
    """A number as one would write it in a file: ``200 MHz``, ``4.264 GB/s``, ``29.6 W``, ``64 KiB``, ``0.9``."""
    if suffix in ("count", "fraction", "ratio", ""):
        return f"{value:g}"
    above, slash, below = symbol_of(suffix).partition("/")
    if above == "bytes" and not slash:
        for size, prefix in ((1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")):
            if value and value % size == 0:
                return f"{value / size:g} {prefix}B"
    base, unit = value, "B" if above == "bytes" else above
    if unit not in _BASES and unit[1:] in _BASES and unit[0] in _SI:
        base, unit = value * 10.0 ** _SI[unit[0]], unit[1:]
    allowed = _BASES.get(unit, ("", 1, ("",)))[2]
    for scale, prefix in _PREFIXES:
        if prefix in allowed and abs(base) >= scale * (1 - 1e-12):
            return f"{float(f'{base / scale:.12g}'):g} {prefix}{unit}{slash}{below}"
    return f"{value:g} {above}{slash}{below}"


def unit_table() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """(dimension, example, symbols that a file may use) of every plain dimension."""
    found: dict[str, list[str]] = {}
    for symbol, scale in _SYMBOLS.items():
        found.setdefault(scale.dimension, []).append(symbol)
    return tuple(
        (name.split(" ", 1)[-1], example, tuple(found[dimension]))
        for dimension, (name, example) in _DIMENSIONS.items()
        if dimension in found
    )


def expected(suffix: str) -> str:
    """What a field of this unit takes, for a message: `a frequency such as '200 MHz'`."""
    dimension = scale_of(suffix).dimension
    if dimension == "ratio":
        return "a ratio such as 0.15 or '15 %'" if suffix != "count" else "a plain number"
    named = _name(dimension)
    if dimension in _DIMENSIONS:
        return f"{named} such as '{_DIMENSIONS[dimension][1]}'"
    above, _, below = suffix.partition("_per_")
    return f"{named} such as '1 {_SUFFIX_SYMBOLS.get(above, above)}/{_SUFFIX_SYMBOLS.get(below, below)}'"


def parse(text: str, suffix: str) -> float:
    """The number that `text` is in the unit of `suffix`.

    Raises
    ------
    Refused
        The text is not a number with a unit, the unit is unknown or ambiguous, or it is of another dimension.
    """
    matched = _QUANTITY.match(text)
    allowed = expected(suffix)
    if matched is None or not (matched[2] or matched[3]):
        raise refuse(f"'{text}' (text)", allowed)
    sign, whole, decimals, exponent, symbol = (part or "" for part in matched.groups())
    if not symbol:
        raise refuse(
            f"'{text}' (a number in quotes)", allowed, "write the number without quotes, or add a unit"
        )
    unit = _scale_of_symbol(symbol, text, allowed)
    target = scale_of(suffix)
    if unit.dimension != target.dimension or suffix == "count":
        raise refuse(f"'{text}' ({_name(unit.dimension).split(' ', 1)[-1]})", allowed)
    shift = int(exponent or 0) - len(decimals)
    above = int(whole + decimals) * unit.numerator * target.denominator * _ten(shift)
    below = unit.denominator * target.numerator * _ten(-shift)
    try:
        return -above / below if sign == "-" else above / below
    except OverflowError:
        raise refuse(f"'{text}', beyond the range of a number", allowed) from None


def _scale_of_symbol(symbol: str, text: str, allowed: str) -> Scale:
    """The unit a user wrote."""
    clean = (
        symbol.replace("µ", "u").replace("μ", "u").replace("²", "2").replace("^2", "2").replace("Ω", "Ohm")
    )
    above, slash, below = (part.strip() for part in clean.partition("/"))
    parts = [above, below] if slash else [above]
    for part in parts:
        if part in _AMBIGUOUS:
            raise refuse(f"'{text}' with the ambiguous unit '{symbol}'", allowed, _AMBIGUOUS[part])
    unknown = [part for part in parts if part not in _SYMBOLS]
    if unknown:
        raise _unknown(unknown[0], text, symbol, allowed)
    return _SYMBOLS[above].per(_SYMBOLS[below]) if slash else _SYMBOLS[above]


def _unknown(part: str, text: str, symbol: str, allowed: str) -> Refused:
    hint = nearest_hint(part, _SYMBOLS) if part else ""
    return refuse(f"'{text}' with the unknown unit '{symbol}'", allowed, hint)


def _name(dimension: str) -> str:
    """A dimension with its article: `an energy per amount of data`."""
    if dimension in _DIMENSIONS:
        return _DIMENSIONS[dimension][0]
    above, _, below = dimension.partition("/")
    return f"{_DIMENSIONS[above][0]} per {_DIMENSIONS[below][0].split(' ', 1)[-1].removeprefix('number of ')}"
