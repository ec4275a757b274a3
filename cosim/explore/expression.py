"""Arithmetic over named columns, for derived values, conditions and constraints of a sweep.

Expressions are parsed to a syntax tree and only arithmetic, comparisons and a few functions are walked; nothing
is ever evaluated as Python. Names may be dotted (``array.rows``); values are numbers or arrays.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cosim.spec.problems import Refused, nearest_hint, one_of, refuse

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": np.minimum,
    "max": np.maximum,
    "sqrt": np.sqrt,
    "log2": np.log2,
    "ceil": np.ceil,
    "floor": np.floor,
}


class Expression:
    """A parsed expression; raises :class:`Refused` where it is not arithmetic."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError):
            raise refuse(f"'{text}', which is no expression", "arithmetic such as 'array.rows * 2'") from None
        self.names = frozenset(_names(self._tree, text))
        # Tried once with numbers for all names, so that what is no arithmetic is refused here.
        with np.errstate(all="ignore"):
            self._walk(self._tree, dict.fromkeys(self.names, np.float64(1.5)))

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """The value for these columns; a name that is missing is refused with the nearest one."""
        return self._walk(self._tree, values)

    def _walk(self, node: ast.expr, values: Mapping[str, Any]) -> Any:
        match node:
            case ast.Constant(value=bool()) | ast.Constant(value=str()):
                pass
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.Name() | ast.Attribute():
                name = _dotted(node, self.text)
                if name not in values:
                    hint = nearest_hint(name, values)
                    raise refuse(f"the unknown name '{name}' in '{self.text}'", one_of(values), hint)
                return values[name]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _BINARY[type(op)](self._walk(left, values), self._walk(right, values))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._walk(operand, values)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
                return _COMPARE[type(op)](self._walk(left, values), self._walk(right, values))
            case ast.BoolOp(op=op, values=parts):
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                result = self._walk(parts[0], values)
                for part in parts[1:]:
                    result = join(result, self._walk(part, values))
                return result
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](*(self._walk(arg, values) for arg in args))
        raise _not_arithmetic(node, self.text)


def _not_arithmetic(node: ast.expr, text: str) -> Refused:
    allowed = f"numbers, names, + - * / // % **, one comparison, and, or, {one_of(_FUNCTIONS)}"
    return refuse(f"'{ast.unparse(node)}' in '{text}'", allowed)


def _dotted(node: ast.expr, text: str) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, text)}.{node.attr}"
    raise _not_arithmetic(node, text)


def _names(tree: ast.expr, text: str) -> set[str]:
    names: set[str] = set()
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name | ast.Attribute):
            names.add(_dotted(node, text))
        elif isinstance(node, ast.Call):
            stack.extend(node.args)
        else:
            stack.extend(ast.iter_child_nodes(node))
    return names
