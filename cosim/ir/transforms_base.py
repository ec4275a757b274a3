"""What workload transforms share: how they are refused, and how their text is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from cosim.ir.layer import Layer


class TransformError(ValueError):
    """A transform that does not exist, cannot be read, or does not apply to a network."""


@dataclass(frozen=True)
class Arguments:
    """What was written after a transform's name: a value (empty if none) and settings ``key=text``."""

    name: str
    value: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [self.value] if self.value else []
        parts += [f"{key}={text}" for key, text in self.settings.items()]
        return f"{self.name}:{','.join(parts)}" if parts else self.name

    def share(self, at_most: Fraction = Fraction(1)) -> Fraction:
        """The value as an exact number above 0 and at most ``at_most``."""
        try:
            number = Fraction(self.value)
        except (ValueError, ZeroDivisionError):
            number = Fraction(0)
        if not 0 < number <= at_most:
            raise TransformError(
                f"{self.name}: found {self.value!r}, allowed a number above 0 and at most {at_most}, "
                f"e.g. {self.name}:0.5"
            )
        return number

    def whole(self, key: str, default: int) -> int:
        """A setting as a whole number of at least 1."""
        text = self.settings.get(key, str(default))
        if not text.isdigit() or int(text) < 1:
            raise TransformError(f"{self}: {key}: found {text!r}, allowed a whole number of at least 1")
        return int(text)

    def word(self, key: str, allowed: Sequence[str]) -> str:
        """A setting (for the key ``value``: the value) that is one of a few words; the first is the default."""
        text = self.value if key == "value" else self.settings.get(key, "")
        if not text:
            return allowed[0]
        if text not in allowed:
            raise TransformError(f"{self}: {key}: found {text!r}, allowed {', '.join(allowed)}")
        return text

    def no_value(self) -> None:
        """Refuse a value where a transform takes none."""
        if self.value:
            raise TransformError(f"{self.name}: found the value {self.value!r}, allowed none")


def times(count: int, factor: Fraction, layer: Layer, what: str) -> int:
    """``count * factor``, which must be whole: sizes of a layer are counts."""
    exact = count * factor
    if exact.denominator != 1:
        raise TransformError(
            f"layer {layer.name}: {what} of {count} scaled by {float(factor):.6g} is {float(exact):.6g}, "
            "allowed a whole number: choose a share that keeps every width whole"
        )
    return int(exact)


def scaled_vector(layer: Layer, x: Fraction, y: Fraction, w: Fraction) -> Layer:
    """A layer without multiply-accumulates with input, output and parameter counts scaled.

    Operations follow the output, or the input for layers that have as many operations as inputs.
    """
    work = x if layer.y_elems < layer.x_elems and x != y else y
    return replace(
        layer,
        x_elems=times(layer.x_elems, x, layer, "input"),
        y_elems=times(layer.y_elems, y, layer, "output"),
        w_elems=times(layer.w_elems, w, layer, "parameters"),
        simple_ops=round(layer.simple_ops * work),
        special_ops=round(layer.special_ops * work),
    )


def resized(layer: Layer, **sizes: int) -> Layer:
    """A multiply-accumulate layer with other dimensions and its element counts derived from them."""
    new = replace(layer, **sizes)  # type: ignore[arg-type]
    weights = new.G * new.K * new.C * new.R * new.S * (1 if new.static_weight else new.N)
    return replace(
        new,
        x_elems=new.N * new.G * new.C * new.H * new.W,
        w_elems=weights + (new.G * new.K if new.bias else 0),
        y_elems=new.N * new.G * new.K * new.P * new.Q,
        shared_params=new.params if 0 < layer.shared_params == layer.params else layer.shared_params,
    )
