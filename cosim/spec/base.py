"""The base of every spec, the field types, and `parse`.

A machine author writes fields with types that carry unit and limits:

    class ArraySpec(Spec):
        rows: Count
        \"\"\"Rows of processing elements.\"\"\"
        clock_hz: Hz
        mac_pj: Pj
        leakage_mw: Mw | None = None

and reads numbers with `spec.clock_hz.value`. Every such field is a `Constant` with unit and provenance. Fields
that are no physical numbers use plain types (`Literal`, `str`, `bool`, `tuple[...]`); nothing is converted
silently. Lists are tuples, because specs are immutable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from cosim.spec.constant import (
    KINDS,
    Constant,
    Kind,
    Limits,
    Reading,
    SetBy,
    read_constant,
    read_number,
    unsourced,
)
from cosim.spec.overrides import with_overrides
from cosim.spec.problems import Refusal, Refused, SpecError, dotted, refuse
from cosim.spec.session import Block, Session, is_overridden, reported
from cosim.spec.strict_yaml import Document
from cosim.spec.units import scale_of

__all__ = [
    "Constant",
    "Count",
    "Spec",
    "Table",
    "Unit",
    "constant",
    "constants",
    "parse",
    "refuse",
    "with_overrides",
]

_UNITLESS = ("count", "fraction", "ratio")


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit and limits of a constant: `Annotated[Constant, Unit("pj_per_mac", at_least=0)]`.

    `suffix` is what the field's name ends in; see `cosim.spec.units`. `whole` makes the value an int.
    """

    suffix: str
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        """Refuse a suffix that is no unit; KeyError."""
        scale_of(self.suffix)

    @property
    def limits(self) -> Limits:
        """The limits alone."""
        return Limits(self.above, self.at_least, self.at_most, self.whole)

    def describe(self) -> str:
        """What the field takes."""
        return self.limits.describe(self.suffix)

    def read(self, raw: Any, info: ValidationInfo) -> Constant:
        """A constant from what the file holds."""
        session = info.context if isinstance(info.context, Session) else None
        if isinstance(raw, Constant):
            return self._ready(raw, session)
        if session is None:
            return read_constant(raw, self.suffix, self.limits, set_by="default")
        block = raw.provenance if isinstance(raw, Block) else session.provenance
        if isinstance(raw, Block):
            session.unused.pop(raw.path, None)
        set_by: SetBy = "override" if is_overridden(raw) else "file"
        return read_constant(raw, self.suffix, self.limits, block, session.reading, set_by)

    def _ready(self, made: Constant, session: Session | None) -> Constant:
        """A constant made in the program: a default, or one given from Python."""
        if made.unit != self.suffix:
            raise Refused([Refusal(f"a constant in {made.unit}", f"one in {self.suffix}")])
        read_number(made.value, self.suffix, self.limits)
        if session is not None and (wrong := unsourced(made, session.reading)):
            raise Refused(wrong)
        return made

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate by `read`."""
        return core_schema.with_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """A number, a text with a unit, or a mapping; `x-unit` is the canonical unit."""
        number: dict[str, Any] = {"type": "integer" if self.whole else "number"}
        for word, limit in (
            ("exclusiveMinimum", self.above),
            ("minimum", self.at_least),
            ("maximum", self.at_most),
        ):
            if limit is not None:
                number[word] = limit
        scalar = (
            [number]
            if self.suffix == "count"
            else [number, {"type": "string", "description": self.describe()}]
        )
        mapping = {
            "type": "object",
            "properties": {
                "value": {"anyOf": scalar},
                "source": {"type": "string", "description": "key of arch/sources.yaml"},
                "kind": {"enum": list(KINDS)},
                "range": {"type": "array", "items": {"anyOf": scalar}, "minItems": 2, "maxItems": 2},
                "note": {"type": "string"},
            },
            "required": ["value"],
            "additionalProperties": False,
        }
        return {"anyOf": [*scalar, mapping], "x-unit": self.suffix}


def constant(
    value: float,
    unit: str,
    source: str,
    kind: Kind,
    note: str = "",
    range: tuple[float, float] | None = None,
) -> Constant:
    """A default for a field: `overhead_ns: Ns = constant(5.0, "ns", "smith-2020", "measured")`."""
    scale_of(unit)
    return Constant(value, unit, source, kind, range, note, "default")


Count = Annotated[Constant, Unit("count", at_least=1, whole=True)]
Fraction = Annotated[Constant, Unit("fraction", at_least=0, at_most=1)]
Ratio = Annotated[Constant, Unit("ratio", at_least=0)]
Hz = Annotated[Constant, Unit("hz", above=0)]
S = Annotated[Constant, Unit("s", at_least=0)]
Us = Annotated[Constant, Unit("us", at_least=0)]
Ns = Annotated[Constant, Unit("ns", at_least=0)]
Cycles = Annotated[Constant, Unit("cycles", at_least=0)]
J = Annotated[Constant, Unit("j", at_least=0)]
Nj = Annotated[Constant, Unit("nj", at_least=0)]
Pj = Annotated[Constant, Unit("pj", at_least=0)]
PjPerBit = Annotated[Constant, Unit("pj_per_bit", at_least=0)]
PjPerByte = Annotated[Constant, Unit("pj_per_byte", at_least=0)]
PjPerMac = Annotated[Constant, Unit("pj_per_mac", at_least=0)]
PjPerOp = Annotated[Constant, Unit("pj_per_op", at_least=0)]
W = Annotated[Constant, Unit("w", at_least=0)]
Mw = Annotated[Constant, Unit("mw", at_least=0)]
Mm2 = Annotated[Constant, Unit("mm2", at_least=0)]
Um2 = Annotated[Constant, Unit("um2", at_least=0)]
M = Annotated[Constant, Unit("m", above=0)]
Mm = Annotated[Constant, Unit("mm", above=0)]
Um = Annotated[Constant, Unit("um", above=0)]
Nm = Annotated[Constant, Unit("nm", above=0)]
V = Annotated[Constant, Unit("v", at_least=0)]
K = Annotated[Constant, Unit("k", above=0)]
Db = Annotated[Constant, Unit("db")]
Bits = Annotated[Constant, Unit("bits", at_least=1, whole=True)]
Bytes = Annotated[Constant, Unit("bytes", at_least=1, whole=True)]
BytesPerS = Annotated[Constant, Unit("bytes_per_s", above=0)]
BytesPerCycle = Annotated[Constant, Unit("bytes_per_cycle", above=0)]
BitsPerS = Annotated[Constant, Unit("bits_per_s", above=0)]
PxPerS = Annotated[Constant, Unit("px_per_s", above=0)]
FlopsPerS = Annotated[Constant, Unit("flops_per_s", above=0)]
OpsPerS = Annotated[Constant, Unit("ops_per_s", above=0)]

Size = Annotated[int, Field(ge=1)]
"""A plain whole number of at least 1, for shapes; not a constant."""


_PROVENANCE_SCHEMA = {
    "type": "object",
    "description": "for every constant of this block that does not state its own",
    "properties": {"source": {"type": "string"}, "kind": {"enum": list(KINDS)}, "note": {"type": "string"}},
    "additionalProperties": False,
}


class _TableBlock:
    """Lets the `provenance` of a mapping of constants reach them."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate as a dict, inside its own block."""
        return core_schema.with_info_wrap_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """As a dict, with the one key that is not an entry."""
        return {**handler(schema), "properties": {"provenance": _PROVENANCE_SCHEMA}}

    def read(self, raw: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """The entries."""
        if not (isinstance(raw, Block) and isinstance(info.context, Session)):
            return handler(raw)
        info.context.enter(raw)
        try:
            return handler(raw)
        finally:
            info.context.leave()


_Value = TypeVar("_Value")
Table = Annotated[dict[str, _Value], _TableBlock()]
"""A mapping from free names to constants or specs, `read_pj: Table[Pj]`; may hold a `provenance`."""

_SpecT = TypeVar("_SpecT", bound="Spec")


class Spec(BaseModel):
    """The base of machine, component and workload specs: immutable, no unknown keys, no silent conversion."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True, validate_default=True, allow_inf_nan=False
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Hold field names to their units; TypeError where a name ends in another unit than its type says."""
        for name, info in cls.model_fields.items():
            for unit in _units(info.annotation, info.metadata):
                if unit.suffix not in _UNITLESS and not f"_{name}".endswith(f"_{unit.suffix}"):
                    raise TypeError(
                        f"{cls.__name__}.{name} is in {unit.suffix}; its name must end in _{unit.suffix}"
                    )

    @model_validator(mode="wrap")
    @classmethod
    def _in_block(cls, raw: Any, handler: ModelWrapValidatorHandler[_SpecT], info: ValidationInfo) -> _SpecT:
        """Know the block while its fields are read, and report its problems with their places."""
        session = info.context
        if not (isinstance(session, Session) and isinstance(raw, Block)):
            return handler(raw)
        session.enter(raw)
        try:
            return handler(raw)
        except ValidationError as error:
            session.report(error, raw, raw.path, cls)
            raise reported() from None
        finally:
            session.leave()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Every block may state the provenance of its constants."""
        out = handler.resolve_ref_schema(handler(schema))
        out.setdefault("properties", {})["provenance"] = _PROVENANCE_SCHEMA
        return out


def _units(annotation: Any, metadata: Any = ()) -> Iterator[Unit]:
    """The units in a field's type; those of names inside a Table belong to the field as well."""
    for extra in (*metadata, *getattr(annotation, "__metadata__", ())):
        if isinstance(extra, Unit):
            yield extra
    for inner in get_args(annotation):
        yield from _units(inner)


def parse(
    spec_class: type[_SpecT], document: Document, sources: set[str] | None = None, strict: bool = False
) -> _SpecT:
    """A validated spec.

    Parameters
    ----------
    sources
        Keys of the bibliography; a constant that names another is refused. None: names are not checked.
    strict
        Refuse a constant without source or kind, and one assumed or fitted without a note.

    Raises
    ------
    SpecError
        With all problems of the document.
    """
    session = Session(document, Reading(sources, strict))
    raw = session.prepare(document.data)
    try:
        spec = spec_class.model_validate(raw, context=session)
    except ValidationError as error:
        session.report(error, raw, (), spec_class)
    else:
        session.finish()
        if not session.problems:
            return spec
    raise SpecError(session.problems)


def constants(spec: BaseModel) -> Iterator[tuple[str, Constant]]:
    """Every constant of a spec with its dotted path, in the order of the fields."""
    yield from _constants(spec, ())


def _constants(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, Constant]]:
    if isinstance(value, Constant):
        yield dotted(path), value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _constants(getattr(value, name), (*path, name))
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _constants(inner, (*path, name))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _constants(inner, (*path, index))
