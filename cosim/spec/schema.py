"""JSON Schema of a spec, for editors (yaml-language-server) and for `cosim schema`."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema


def field_docs(spec_class: type) -> dict[str, str]:
    """The docstrings below the fields of a class and its bases; read from source on demand, not at import."""
    docs: dict[str, str] = {}
    for base in reversed(spec_class.__mro__):
        if not (issubclass(base, BaseModel) and base is not BaseModel):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError):
            continue  # a class made at run time has no source, hence no docs
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for field, below in pairwise(body):
            if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
                continue
            if (
                isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
                and isinstance(below.value.value, str)
            ):
                docs[field.target.id] = inspect.cleandoc(below.value.value)
    return docs


class _WithDocs(GenerateJsonSchema):
    """Adds the field docs to each model's properties."""

    def model_schema(self, schema: Any) -> dict[str, Any]:
        out = super().model_schema(schema)
        docs = field_docs(schema["cls"])
        for name, below in out.get("properties", {}).items():
            if name in docs and "description" not in below:
                below["description"] = docs[name]
        return out


def json_schema(spec_class: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema (draft 2020-12): units as `x-unit`, descriptions from the docs of classes and fields."""
    schema = spec_class.model_json_schema(schema_generator=_WithDocs)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
