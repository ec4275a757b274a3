"""What the keys of a sweep mean: the table of the page on files. A test wants every key that the reader
knows; one that it does not know is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping

from cosim.spec.keys import Key

MEANINGS: Mapping[str, Key] = {
    "kind": Key("`sweep`", "kind of document", True),
    "name": Key("text", "name of the space; that of the file if not given"),
    "description": Key("text", "the question that it asks"),
    "archs": Key("list of machines", "machine files or shipped names", True),
    "workloads": Key("list of networks", "workload files or shipped names", True),
    "mappings": Key(
        "list of mappings", "mapping files or shipped names; `default` is the machine's own best choice"
    ),
    "transforms": Key(
        "list of transforms",
        "what is done to every network first: `none`, one transform, or a list of them applied in order",
    ),
    "batch": Key("list of whole numbers", "images at once; 1 if not given"),
    "parameters": Key(
        "path: values",
        "axes: a parameter of a machine file (`companion.…` for the machine inside a machine), a word of it, or a "
        "choice of the mapping; a list, `{range: [a, b], points: n}` (or `step: d`), or `{log_range: [a, b], points: "
        "n}`",
    ),
    "derived": Key("path: expression", "parameters that follow from others"),
    "conditions": Key("list of comparisons", "points that fail one are left out before they are evaluated"),
    "columns": Key("name: expression", "further results, from parameters and results"),
    "constraints": Key("list of comparisons", "points that fail one are evaluated and marked"),
    "objectives": Key(
        "list of names",
        "what is minimised, or maximised with a leading `-`: results, parameters, columns; `latency_s` and "
        "`energy_j` if not given",
    ),
    "sampling": Key(
        "`grid`, or `{sobol: points, seed: n}`", "every point, or points of a Sobol sequence from the ranges"
    ),
}
RULES = (
    "Machines, networks, mappings, paths, words, values and columns must exist; a parameter that one machine lacks "
    "is left out for it, one that all lack is refused.",
    "Values of an axis stand once and are numbers or words, not both; a number with a unit is converted to that of "
    "the path.",
    "Expressions are arithmetic, comparisons and min, max, sqrt, log2, ceil, floor over dotted names; nothing is run "
    "as Python.",
    "A derived value must be one that the machine file would take; an empty space and one of more than 50,000,000 "
    "points are refused.",
    "Nothing runs before all of it is checked.",
)
