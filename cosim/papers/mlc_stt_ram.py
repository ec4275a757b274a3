"""MLC STT-RAM weight buffer: 9 % of the read energy and 6 % of the write energy, and what other protection costs.

Boundary: weights of VGG16's shape, normal with standard deviation sqrt(2 / fan_out) (0.01 in the classifier), in half
precision; a sample of each layer weighted by its size; metadata not counted (gross) as the abstract implies. The
energies of the cell patterns are not published: expensive patterns 01 and 10 cost 1 + delta. Neither delta nor the
re-formation scheme follows from the abstract; the two ratios that would give its figures are fitted.
Accuracy: trained digits networks in place of VGG16, cells that hold 01 or 10 err.
Sources: Jasemi, Hessabi, Bagherzadeh, Computers and Electrical Engineering 86 (2020) 106698 (abstract). Rate of the
hard bit: W. Wen's dissertation on errors of STT-RAM. SECDED: Hsiao, IBM J. Res. Dev. 14 (1970).
"""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from cosim.noise.ecc import hsiao_columns
from cosim.noise.formats import storage_format, to_words
from cosim.noise.patterns import ContentCost
from cosim.noise.schemes import (
    EncodingReport,
    delta_for_saving,
    report,
    scheme,
    total_hard_share,
    total_saving,
)
from cosim.papers._digits import accuracies_with_errors, highest_equal
from cosim.papers._evidence import ABSTRACT, ALGEBRA, at
from cosim.papers.row import PaperRow, Scenario, bracketed, fitted, missing, within
from cosim.report.style import PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCENARIO = Scenario(
    title="Jasemi, Hessabi, Bagherzadeh, Reliable and energy efficient MLC STT-RAM buffer, 2020",
    machine="two-bit cells with content-dependent energy (systolic_mlc_sttram's filter buffer)",
    workload="weights of VGG16's shape, normal, half precision",
    mapping="sign backup with rotation or rounding of groups of 1 to 16 weights",
    assumptions=(
        "energy of each pattern",
        "set of re-formations",
        "group of weights",
        "metadata not counted",
    ),
)
# (weights, fan-out) of VGG16's layers: 3 x 3 convolutions, then the classifier with its own deviation.
CONVS = (
    (3, 64),
    (64, 64),
    (64, 128),
    (128, 128),
    (128, 256),
    (256, 256),
    (256, 256),
    (256, 512),
    *[(512, 512)] * 5,
)
CONNECTED = ((25088, 4096), (4096, 4096), (4096, 1000))
SAMPLE = 20_000
READ_DELTA, WRITE_DELTA = 0.46, 0.28
SCHEMES = ("sbp_rot14", "sbp_round", "hybrid")
GROUPS = (1, 4, 16)
PHYSICAL_DELTA, LARGEST_DELTA = 0.25, 1.0
HARD_BIT_RATE = 3.5e-3
ERROR_RATES, TRIALS = (1e-5, 1e-4, 1e-3, HARD_BIT_RATE, 1e-2), 6
NETWORKS = {"perceptron": "mlp", "transformer": "vit"}
PROTECTIONS = {
    "no protection": "baseline",
    "sign backup": "sbp",
    "range check": "baseline+range",
    "SECDED": "baseline+secded",
}
MARKERS = ("o", "s", "^", "D")
ABOVE = at("abstract", ABSTRACT)


@cache
def reports(name: str, group: int) -> tuple[EncodingReport, ...]:
    """Patterns of every layer before and after one encoding."""
    fmt = storage_format("fp16")
    random = np.random.default_rng(20)
    layers = [(9 * c * k, (2.0 / (9 * k)) ** 0.5) for c, k in CONVS] + [(c * k, 0.01) for c, k in CONNECTED]
    found = []
    for index, (count, sigma) in enumerate(layers):
        weights = np.clip(random.normal(0.0, sigma, min(count, SAMPLE) // 16 * 16), -0.999, 0.999)
        words = to_words(weights.astype(np.float16), fmt)
        found.append(report(scheme(name, group), words, fmt, f"layer{index}", weight=float(count)))
    return tuple(found)


def saving(name: str, group: int, delta: float) -> float:
    """Share of the energy saved, metadata not counted."""
    return total_saving(reports(name, group), ContentCost.from_delta(delta)).gross


def needed_delta(target: float) -> float:
    """Cost ratio at which the scheme of single weights saves ``target``."""
    chosen = reports("hybrid", 1)
    return delta_for_saving(total_hard_share(chosen, encoded=False), total_hard_share(chosen), target)


def ROWS() -> list[PaperRow]:
    """Savings bracketed and fitted, the free bit's accuracy beside other protections, Hsiao's code."""
    key = "jasemi-2020"
    rows = []
    tried = [saving(s, g, d) for s in SCHEMES for g in GROUPS for d in (PHYSICAL_DELTA, LARGEST_DELTA)]
    facts = (
        "missing: pattern energies, re-formations, group (every stored copy of the paper ends in its introduction); "
        "three schemes, groups of 1 to 16, delta 0.25 to 1"
    )
    for what, value, delta in (("read", 0.09, READ_DELTA), ("write", 0.06, WRITE_DELTA)):
        rows.append(bracketed(key, f"{what} energy saved", ABOVE, value, min(tried), max(tried), "1", facts))
        held = (
            f"delta {delta} of the machine file fitted to this figure, hybrid scheme of single weights; the figure of "
            "the other direction needs another delta, so nothing is left out to test it"
        )
        found = saving("hybrid", 1, delta)
        rows.append(fitted(key, f"{what} energy saved, fitted", ABOVE, value, found, "1", held))
    before, after = (total_hard_share(reports("sbp_round", 1), encoded=encoded) for encoded in (False, True))
    rows.append(
        within(key, "expensive cells fewer by sign backup and rounding", at("bits of half precision", ALGEBRA), 0.1875,
               before - after, "1", 0.01,
               "0.0625 by the sign's copy and 0.125 by the last four bits, whatever the exponents; sampled")
    )  # fmt: skip
    return rows + _accuracy_rows() + _secded_rows()


def _accuracy_rows() -> list[PaperRow]:
    """Up to which rate accuracy equals the error-free one, on networks that are at hand instead of VGG16."""
    key, where = "jasemi-2020", at("abstract: accuracy of the error-free buffer", ABSTRACT)
    facts = (
        "error rates by pattern, VGG16's and Inception's trained weights (every stored copy ends before them); "
        f"tried: {', '.join(f'{rate:g}' for rate in ERROR_RATES)}"
    )
    rows, at_hard = [], []
    for name, network in NETWORKS.items():
        try:
            ratios = accuracies_with_errors(network, tuple(PROTECTIONS.values()), ERROR_RATES, TRIALS)
        except ModuleNotFoundError as error:
            return [
                missing(
                    key, "highest cell error rate of equal accuracy", where, None, "1", f"{facts}; {error}"
                )
            ]
        at_hard.append(ratios["sbp", HARD_BIT_RATE])
        for label, protection in PROTECTIONS.items():
            what = f"highest cell error rate of equal accuracy, digits {name}, {label}"
            rows.append(missing(key, what, where, None, "1", facts, highest_equal(ratios, protection)))
    rows.append(
        bracketed(key, "accuracy over error-free, sign backup, hard cells at 3.5e-3", where, 1.0, min(at_hard),
                  max(at_hard), "1", "missing: the paper's error rates; 3.5e-3 is the hard bit of Wen's dissertation; "
                  "digits perceptron and transformer")
    )  # fmt: skip
    return rows


def triples_corrected_wrongly() -> float:
    """Share of the triple errors of a 72-bit word whose syndrome is that of a single error."""
    columns = hsiao_columns()
    single = set(columns)
    wrong = [a ^ b ^ c in single for a, b, c in combinations(columns, 3)]
    return sum(wrong) / len(wrong)


def _secded_rows() -> list[PaperRow]:
    """What the shipped code does with three errors, which its choice of columns decides."""
    return [
        missing("hsiao-1970", "triple errors of SECDED(72,64) corrected wrongly", at("columns of the code", ALGEBRA),
                None, "1", "the paper's table of error probabilities (searched for, in no stored copy)",
                triples_corrected_wrongly())
    ]  # fmt: skip


def figure(rows: list[PaperRow]) -> Figure:
    """Saving over the cost ratio for each scheme beside the printed savings; accuracy over the cell error rate."""
    result = new_figure(7.0, 3.4)
    left, right = result.subplots(1, 2)
    deltas = [0.1, 0.2, 0.3, 0.5, 0.7, 1.0]
    for number, name in enumerate(SCHEMES):
        left.plot(
            deltas, [100 * saving(name, 1, d) for d in deltas], color=PALETTE[number], marker=MARKERS[number],
            linestyle=("-", "--", "-")[number], markersize=(8, 4, 4)[number], mfc="white" if number == 0 else None,
            label=f"simulated, {name}",
        )  # fmt: skip
    for value, style, label in ((9.0, "--", "published, read"), (6.0, ":", "published, write")):
        left.axhline(value, color="black", linestyle=style, linewidth=1.2, label=label)
    left.set_xlabel("extra cost of patterns 01 and 10 (delta)")
    left.set_ylabel("energy saved, %")
    left.set_title("VGG16-shaped weights, single weights re-formed", fontsize=9)
    left.legend(frameon=False, fontsize=7)
    try:
        ratios = accuracies_with_errors("vit", tuple(PROTECTIONS.values()), ERROR_RATES, TRIALS)
    except ModuleNotFoundError:
        right.set_title("accuracy needs scikit-learn", fontsize=9)
        return result
    for number, (label, protection) in enumerate(PROTECTIONS.items()):
        right.plot(
            ERROR_RATES, [ratios[protection, rate] for rate in ERROR_RATES], color=PALETTE[number],
            marker=MARKERS[number], markersize=4, label=f"simulated, {label}",
        )  # fmt: skip
    right.axhline(
        1.0, color="black", linestyle="--", linewidth=1.2, label="published, free bit (rate not stated)"
    )
    right.axvline(
        HARD_BIT_RATE, color="grey", linestyle="-.", linewidth=1.0, label="hard bit of a series cell (Wen)"
    )
    right.set_xscale("log")
    right.set_xlabel("error rate of cells that hold 01 or 10")
    right.set_ylabel("accuracy over error-free")
    right.set_title("digits transformer, FP16 weights", fontsize=9)
    right.legend(frameon=False, fontsize=7, loc="lower left")
    return result
