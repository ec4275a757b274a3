"""Guided search by Optuna's samplers: asked for designs in batches, told their objectives together."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from cosim.explore.search import ASKED_AT_MOST, BATCH, Designs, Index, Points, Trace
from cosim.explore.transform_axis import KEY as TRANSFORMS
from cosim.results.files import OutputError

# Told for a design that breaks a condition or constraint: worse than any logarithm of an objective.
PENALTY = 1e3
VIOLATED = "violated"
DESIGN = "design"


def guided(designs: Designs, method: str, evaluations: int, seed: int, journal: str | None) -> Trace:
    """NSGA-II (``nsga2``) or TPE (``tpe``) over variants and positions on the axes.

    The same seed gives the same search as long as it is not interrupted; one that goes on from a journal keeps
    all it has looked at and draws new numbers from there.
    """
    study = _study(designs, method, seed, journal)
    space = _distributions(designs)
    finished = _finished(study)
    seen = {trial.user_attrs[DESIGN] for trial in finished}
    # Samplers ask for designs again that they know; that costs an answer from memory, not an evaluation.
    while len(seen) < min(evaluations, designs.size) and len(finished) < ASKED_AT_MOST * evaluations:
        trials = [study.ask(space) for _ in range(BATCH)]
        numbers = np.array([_number(designs, trial.params) for trial in trials], dtype=np.int64)
        values = designs.evaluate(numbers)
        for trial, number, row in zip(trials, numbers, values, strict=True):
            fine = bool(np.isfinite(row).all())
            trial.set_user_attr(DESIGN, int(number))
            trial.set_user_attr(VIOLATED, 0.0 if fine else 1.0)
            study.tell(trial, [float(v) for v in row] if fine else [PENALTY] * len(row))
        finished = _finished(study)
        seen.update(int(number) for number in numbers)
    return _trace(method, seed, finished, evaluations)


def _finished(study: Any) -> list[Any]:
    from optuna.trial import TrialState

    return list(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def _trace(method: str, seed: int, trials: list[Any], evaluations: int) -> Trace:
    """The first ``evaluations`` different designs of the trials."""
    first = {trial.user_attrs[DESIGN]: trial for trial in reversed(trials)}
    chosen = sorted(first.values(), key=lambda trial: int(trial.number))[:evaluations]
    numbers: Index = np.array([trial.user_attrs[DESIGN] for trial in chosen], dtype=np.int64)
    values: Points = np.array([trial.values for trial in chosen], dtype=np.float64)
    values[np.array([trial.user_attrs[VIOLATED] > 0 for trial in chosen])] = np.nan
    return Trace(method, seed, numbers, values)


def _study(designs: Designs, method: str, seed: int, journal: str | None) -> Any:
    try:
        import optuna
    except ImportError as error:
        raise OutputError(
            f"{method} needs the extra `search` (pip install cosim[search]): {error}"
        ) from error
    from optuna.storages import InMemoryStorage, JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalFileBackend(journal)) if journal else InMemoryStorage()
    name = f"{method} {seed} {designs.space.hash}"
    with warnings.catch_warnings():
        # Constraints are still marked experimental there.
        warnings.simplefilter("ignore")
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=["minimize"] * len(designs.objectives),
            load_if_exists=True,
        )
        drawn = seed + len(study.get_trials(deepcopy=False))
        kinds: dict[str, Any] = {
            "nsga2": lambda: optuna.samplers.NSGAIISampler(
                population_size=BATCH, seed=drawn, constraints_func=_violations
            ),
            "tpe": lambda: optuna.samplers.TPESampler(
                seed=drawn, multivariate=True, constant_liar=True, constraints_func=_violations
            ),
        }
        study.sampler = kinds[method]()
    return study


def _violations(trial: Any) -> tuple[float]:
    return (float(trial.user_attrs.get(VIOLATED, 1.0)),)


def _distributions(designs: Designs) -> dict[str, Any]:
    """What is asked for: the variant, and a position on every axis.

    Every trial has the same parameters; a machine that lacks an axis ignores it.
    """
    from optuna.distributions import CategoricalDistribution, IntDistribution

    groups = [designs.space.groups[variant[0]] for variant in designs.variants]
    found: dict[str, Any] = {}
    if len({group.arch for group in groups}) > 1:
        found["arch"] = CategoricalDistribution(list(dict.fromkeys(group.arch for group in groups)))
    if len({group.mapping for group in groups}) > 1:
        found["mapping"] = CategoricalDistribution(list(dict.fromkeys(group.mapping for group in groups)))
    if len({group.transforms for group in groups}) > 1:
        found[TRANSFORMS] = CategoricalDistribution(list(dict.fromkeys(group.transforms for group in groups)))
    for axis in designs.space.doc.axes:
        if not axis.numeric:
            found[axis.path] = CategoricalDistribution([str(value) for value in axis.values])
    lengths: dict[str, int] = {}
    for group in groups:
        for axis in group.axes:
            lengths[axis.path] = max(lengths.get(axis.path, 0), len(axis.values))
    found.update({path: IntDistribution(0, count - 1) for path, count in lengths.items()})
    return found


def _number(designs: Designs, params: dict[str, Any]) -> int:
    """Number of the design that a trial describes."""
    for index, variant in enumerate(designs.variants):
        group = designs.space.groups[variant[0]]
        arch, mapping = params.get("arch", group.arch), params.get("mapping", group.mapping)
        if (arch, mapping) != (group.arch, group.mapping):
            continue
        if params.get(TRANSFORMS, group.transforms) != group.transforms:
            continue
        if any(params[path] != word for path, word in group.words):
            continue
        if not group.axes:
            return int(designs.starts[index])
        shape = [len(axis.values) for axis in group.axes]
        digits = [
            min(int(params[axis.path]), count - 1) for axis, count in zip(group.axes, shape, strict=True)
        ]
        return int(designs.starts[index] + np.ravel_multi_index(digits, tuple(shape)))
    raise OutputError(f"no design for {params}")
