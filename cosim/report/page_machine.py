"""The page of one kind of machine: what its model is, assumes, leaves out and was held against, and its parameters."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache

from cosim.checks.validation import REGISTRY
from cosim.components.params import ParameterRow
from cosim.hardware.base import MachineModel, kinds, model_of
from cosim.hardware.load import load_machine
from cosim.papers import papers, scenario_of
from cosim.report.page_specs import field_tables, rules_of
from cosim.report.page_text import NOTE, bullets, inline, markdown, module_doc, modules_in, table
from cosim.spec.locate import ROOT
from cosim.spec.strict_yaml import load
from cosim.spec.units import readable

# Equations of every kind, beside those that its own docstring refers to.
COMMON = ("cosim.components.estimate",)
# Checks against times that somebody measured; the others are against tools.
MEASURED = ("cpu", "gpu")
CHECK_NOTES: Mapping[str, str] = {
    "timeloop": "The loop nests of timeloop-model are held against the engine behind `cosim map`, not against the "
    "closed forms of this page.",
}
# Published results whose scenario names no machine file, but what a kind is made of.
USES_PARTS_OF: Mapping[str, str] = {
    "convsharevit": "optical4f",
    "int16_dfp": "simd_cpu",
    "refocus": "optical4f",
    "scalesim": "systolic",
}
STATUSES = ("exact", "within", "fitted", "bracketed", "not reproduced")


def machine_page(kind: str) -> str:
    """Markdown of one kind; long tables at the end."""
    model = model_of(kind)
    sections = {
        "Model": model_section(model),
        "Assumptions and where it holds": bullets(model.holds),
        "What the model leaves out": bullets(model.leaves_out),
        "Validation": validation_section(kind),
        "Event simulation": _simulation(model),
        "Choices per layer": _choices(model),
        "Machines that are shipped": table(("file", "what it is"), list(_presets(kind))),
        "Equations of its parts": parts_section(model),
        "Assumed and fitted constants": constants_section(kind),
        "Parameters of a machine file": parameters_section(model),
    }
    shown = {title: text for title, text in sections.items() if text}
    contents = " · ".join(f"[{title}](#{anchor(title)})" for title in shown)
    parts = [f"# `{kind}`: {model.summary}", NOTE, contents]
    return "\n\n".join(parts + [f"## {title}\n\n{text}" for title, text in shown.items()]) + "\n"


def anchor(title: str) -> str:
    """The anchor that a heading gets: lower case, words joined by hyphens."""
    return re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")


def model_section(model: MachineModel) -> str:
    """The docstring of the model's module, and its reference cycle."""
    return f"{markdown(_own_doc(model))}\n\nOne cycle in the results is {model.cycle}."


def _own_doc(model: MachineModel) -> str:
    return inspect.cleandoc(sys.modules[type(model).__module__].__doc__ or "")


def parts_of(model: MachineModel) -> tuple[str, ...]:
    """Modules that the model and its tiles refer to, and those of every kind."""
    doc = f"{_own_doc(model)}\n{inspect.getdoc(type(model).tilings) or ''}"
    return tuple(dict.fromkeys((*modules_in(doc), *COMMON)))


def parts_section(model: MachineModel) -> str:
    """Docstrings of the parts: every equation with its number and source."""
    about = "Numbers of equations count within a part."
    return "\n\n".join(
        [about, *(f"### `{name}`\n\n{markdown(module_doc(name))}" for name in parts_of(model))]
    )


def _simulation(model: MachineModel) -> str:
    doc = markdown(inspect.getdoc(type(model).tilings) or "")
    return f"{doc}\n\nHow tiles become times is on the page on the [event simulation](../simulation.md)."


def _choices(model: MachineModel) -> str:
    rows = [(f"`{name}`", ", ".join(f"`{v}`" for v in values)) for name, values in model.choices.items()]
    if not rows:
        return ""
    about = "A [mapping file](../files.md) chooses them by layer name."
    return f"{about}\n\n{table(('choice', 'values, the first is the default'), rows)}"


@cache
def shipped_kinds() -> Mapping[str, str]:
    """Name of every shipped machine file -> its kind."""
    found = {path.stem: load(path).get("kind") for path in sorted((ROOT / "arch").glob("*.yaml"))}
    return {name: str(kind) for name, kind in found.items() if kind in kinds()}


def _presets(kind: str) -> Iterator[tuple[str, str]]:
    for name, own in shipped_kinds().items():
        if own == kind:
            description = load(ROOT / "arch" / f"{name}.yaml").get("description")
            yield f"`arch/{name}.yaml`", " ".join(str(description or "").split())


def validation_section(kind: str) -> str:
    """Rows of the registry of checks, and published results that use machines of this kind."""
    document = json.loads(REGISTRY.read_text(encoding="utf-8"))
    rows = [row for row in document["rows"] if row["machine_kind"] == kind]
    parts = []
    if not any(row["check"] in MEASURED for row in rows):
        parts.append("**Not held against measurements** by `cosim check`; what was published is below.")
    if rows:
        parts.append(
            "Errors of the model against reference data (`cosim list validation`); MAPE is the mean absolute "
            "error in percent. Fit-free classes use no number that was adjusted to these data; calibrated ones do, but "
            "none for a single layer or network."
        )
        parts.append(_check_table(rows))
        parts += [note for check, note in CHECK_NOTES.items() if any(row["check"] == check for row in rows)]
    return "\n\n".join([*parts, _published_part(kind)])


def _check_table(rows: list[dict[str, object]]) -> str:
    head = ("held against", "class", "cases", "exact", "MAPE", "Spearman", "fitted")
    cells = [
        (
            str(row["against"]), str(row["class"]), str(row["cases"]), str(row["exact"] or ""),
            f"{row['mape_pct']:.1f} %", f"{row['spearman']:.3f}", "yes" if row["fitted"] else "no",
        )
        for row in rows
    ]  # fmt: skip
    return table(head, cells)


def published(kind: str) -> tuple[str, ...]:
    """Published results whose scenario names a machine of this kind, or uses its parts."""
    names = [name for name, own in shipped_kinds().items() if own == kind]
    return tuple(
        paper
        for paper in papers()
        if USES_PARTS_OF.get(paper) == kind
        or any(re.search(rf"\b{name}\b", scenario_of(paper).machine) for name in names)
    )


def _published_part(kind: str) -> str:
    found = published(kind)
    if not found:
        return "No published result is computed on a machine of this kind."
    counts = status_counts()
    rows = [
        (f"`{paper}`", scenario_of(paper).title, *counts.get(paper, [""] * len(STATUSES))) for paper in found
    ]
    about = (
        "Published results that are computed on machines of this kind or their parts, rows by status "
        "([what that means](../papers.md); `cosim reproduce NAME` shows every row with its ratio)."
    )
    return f"{about}\n\n{table(('result', 'publication', *STATUSES), rows)}"


@cache
def status_counts() -> Mapping[str, list[str]]:
    """Result -> rows of each status, from the table of the page on published results."""
    text = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*?\|((?: *\d* *\|){5})$", text, flags=re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")[:-1]] for name, cells in rows}


def constants_section(kind: str) -> str:
    """Constants that rest on an assumption or a fit, over the shipped machines; those of one reason joined."""
    machines = [name for name, own in shipped_kinds().items() if own == kind]
    found: dict[tuple[str, ...], list[str]] = {}
    for name in machines:
        for row in load_machine(ROOT / "arch" / f"{name}.yaml", {}).parameters:
            if row.kind in ("assumed", "fitted") and not row.path.startswith("companion."):
                found.setdefault(_constant(row), []).append(name)
    joined: dict[tuple[str, ...], list[str]] = {}
    for (constant, *rest), where in sorted(found.items()):
        joined.setdefault((*rest, _where(where, machines)), []).append(constant)
    rows = [(", ".join(constants), *rest) for rest, constants in joined.items()]
    about = "What the results rest on beyond measurements, data sheets and publications, in the shipped machine files."
    return f"{about}\n\n{table(('constant', 'range', 'evidence', 'why', 'in'), rows)}"


def _constant(row: ParameterRow) -> tuple[str, ...]:
    bounds = ""
    if row.range is not None:
        low, high = (readable(end, row.unit).split(" ") for end in row.range)
        bounds = " ".join([low[0], *(low[1:] if low[1:] != high[1:] else []), "to", *high])
    return f"`{row.path}` {readable(float(row.value), row.unit)}", bounds, row.kind, inline(row.note)


def _where(names: list[str], machines: list[str]) -> str:
    """Which of the machines: by name, or ``all`` and what is missing."""
    missing = [f"`{name}`" for name in machines if name not in names]
    if len(missing) < min(3, len(names)):
        return "all" if not missing else f"all but {', '.join(missing)}"
    return ", ".join(f"`{name}`" for name in names)


def parameters_section(model: MachineModel) -> str:
    """Tables of the fields, and what is checked beyond them."""
    about = (
        "Constants are written as on the page on [files](../files.md#constants); `cosim schema "
        f"{model.kind}` prints the JSON Schema."
    )
    texts = [one.text for one in field_tables(model.spec)]
    rules = rules_of(model.spec)
    checked = [f"### Checked beyond types\n\n{bullets(rules)}"] if rules else []
    return "\n\n".join([about, *texts, *checked])
