"""Workload transforms as an axis of a sweep: what is tried on every network before it runs.

transforms: [none, prune_channels:0.75, [prune_channels:0.5, bits:w4a8], "prune_tokens:0.7,blocks=4+7+10"]

An item is ``none`` (the network as it is), one transform, or a list of them applied in order. A transform with a
comma is written in quotes inside a list in brackets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cosim.ir.transforms import (
    TRANSFORMS,
    TransformError,
    apply_transforms,
    parse_transform,
    split_reference,
)
from cosim.ir.workload import Workload
from cosim.spec.problems import Problem, Refusal, Refused, describe, nearest_hint, one_of
from cosim.spec.strict_yaml import Document

KEY = "transforms"
NONE = "none"
ALLOWED = f"{NONE}, a transform such as prune_channels:0.5, or a list of transforms applied in order"

Chain = tuple[str, ...]


def label(chain: Chain) -> str:
    """A chain as the column of the results shows it, and as it follows a network's name: ``a:1+b``, or ``none``."""
    return "+".join(chain) or NONE


def read_chains(raw: Any) -> tuple[Chain, ...]:
    """The items of a sweep's ``transforms``; raises :class:`Refused` with the place of everything wrong in it."""
    if not isinstance(raw, str | list) or not raw:
        raise Refused([Refusal(describe(raw), f"a list of items: {ALLOWED}")])
    items = [raw] if isinstance(raw, str) else raw
    refusals: list[Refusal] = []
    chains: dict[Chain, None] = {}
    for index, item in enumerate(items):
        try:
            chain = _chain(item)
        except Refused as error:
            refusals += [Refusal(r.found, r.allowed, r.hint, (index, *r.at)) for r in error.refusals]
            continue
        if chain in chains:
            refusals.append(Refusal(f"{label(chain)!r} a second time", "each item once", at=(index,)))
        chains[chain] = None
    if refusals:
        raise Refused(refusals)
    return tuple(chains)


def _chain(item: Any) -> Chain:
    if item == NONE:
        return ()
    if isinstance(item, str):
        return _texts(item)
    if not isinstance(item, list) or not item:
        raise Refused([Refusal(describe(item), ALLOWED, _hint(item))])
    refusals: list[Refusal] = []
    chain: Chain = ()
    for index, text in enumerate(item):
        try:
            if not isinstance(text, str):
                raise Refused(
                    [Refusal(describe(text), "a transform such as prune_channels:0.5", _hint(text))]
                )
            if text == NONE:
                raise Refused([Refusal(f"{NONE!r} beside other transforms", f"{NONE} as an item of its own")])
            chain += _texts(text)
        except Refused as error:
            refusals += [Refusal(r.found, r.allowed, r.hint, (index,)) for r in error.refusals]
    if refusals:
        raise Refused(refusals)
    return chain


def _texts(text: str) -> Chain:
    """Transforms joined by ``+``, each as it writes itself."""
    first, others = split_reference(text)
    return tuple(_one(part) for part in (first, *others))


def _one(text: str) -> str:
    name = text.strip().partition(":")[0]
    if name not in TRANSFORMS:
        close = nearest_hint(name, (NONE, *TRANSFORMS))
        quoted = "write a transform that has a comma in quotes" if "=" in name else ""
        raise Refused(
            [Refusal(f"the unknown transform {name!r}", one_of((NONE, *TRANSFORMS)), close or quoted)]
        )
    try:
        return str(parse_transform(text))
    except TransformError as error:
        raise Refused([Refusal(f"{text!r} ({error})", _such_as(name))]) from None


def _such_as(name: str) -> str:
    return f"a transform such as {TRANSFORMS[name].example}"


def _hint(item: Any) -> str:
    if item is None:
        return f"write {NONE}"
    if isinstance(item, dict) and len(item) == 1:
        name, value = next(iter(item.items()))
        return f"write {name}:{value}, without a space" if name in TRANSFORMS else ""
    return ""


def variants(
    document: Document, networks: Mapping[str, Workload], chains: Sequence[Chain], problems: list[Problem]
) -> dict[tuple[str, Chain], Workload]:
    """Every network after every chain; what does not apply goes to ``problems``, with the network and the reason.

    A reason that is the same for all networks (a share above 1) is reported once.
    """
    found: dict[tuple[str, Chain], Workload] = {}
    for index, chain in enumerate(chains):
        reasons: dict[str, str] = {}
        for name, network in networks.items():
            try:
                found[name, chain] = apply_transforms(network, chain)
            except TransformError as error:
                reasons[name] = str(error).removeprefix(f"{label(chain)}: ")
        problems.extend(
            document.problem((KEY, index), *why) for why in _reasons(chain, reasons, len(networks))
        )
    return found


def _reasons(chain: Chain, reasons: Mapping[str, str], networks: int) -> Iterator[tuple[str, str]]:
    """(found, allowed) of everything that is wrong with a chain."""
    if len(reasons) == networks and len(set(reasons.values())) == 1 and networks > 1:
        name = chain[0].partition(":")[0]
        allowed = _such_as(name) if len(chain) == 1 else "transforms that apply to the networks of the sweep"
        yield f"{label(chain)!r} ({next(iter(reasons.values()))})", allowed
        return
    for name, reason in reasons.items():
        yield (
            f"{label(chain)!r}, which does not apply to {name} ({reason})",
            "transforms that apply to every network of the sweep",
        )
