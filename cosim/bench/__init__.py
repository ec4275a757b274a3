"""The program's own speed figures, each measured in one run together with its naive form.

A benchmark is a function without arguments that returns a :class:`BenchRow`. The table names modules instead of
importing them, so that listing the benchmarks costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from cosim.ir.bench_row import BenchRow


@dataclass(frozen=True)
class Bench:
    """A benchmark: ``module:function`` and what it measures."""

    target: str
    what: str


BENCHES: dict[str, Bench] = {
    "run_vit": Bench("cosim.bench.process:run_vit", "CPU time of `cosim run` on ViT-B/16, a whole process"),
    "help": Bench("cosim.bench.process:run_help", "CPU time of `cosim --help`, a whole process"),
    "load_vit": Bench("cosim.bench.process:load_vit", "reading the ViT-B/16 workload file"),
    "cycle_simulation": Bench(
        "cosim.bench.systolic:cycle_simulation", "PE-cycles a second of the functional array"
    ),
    "dram_one_queue": Bench("cosim.bench.dram:one_queue", "DRAM requests a second, one queue"),
    "dram_bank_queues": Bench(
        "cosim.bench.dram:bank_queues", "DRAM requests a second, a queue for every bank"
    ),
    "estimate_optical4f": Bench("cosim.bench.points:optical4f", "layer evaluations a second, vectorised"),
    "estimate_systolic": Bench("cosim.bench.points:systolic", "layer evaluations a second, vectorised"),
    "estimate_simd_cpu": Bench("cosim.bench.points:simd_cpu", "layer evaluations a second, vectorised"),
    "estimate_gpu": Bench("cosim.bench.points:gpu", "layer evaluations a second, vectorised"),
    "mapping_evaluations": Bench("cosim.bench.mapping:mapping_evaluations", "exact mapping costs a second"),
    "mapper_resnet50": Bench(
        "cosim.bench.mapping:mapper_resnet50", "ResNet-50 and ViT-B/16 to proven optima"
    ),
    "simulate_vit": Bench("cosim.bench.simulation:simulate_vit", "event simulation of one image of ViT-B/16"),
    "flow_shop": Bench("cosim.bench.simulation:flow_shop", "tiles through the units of a stage, a second"),
    "sweep_end_to_end": Bench(
        "cosim.bench.explore:sweep_end_to_end", "a whole sweep with its shards, slowest kind of machine"
    ),
    "sweep_two_processes": Bench(
        "cosim.bench.explore:sweep_two_processes", "a sweep in two processes, paired with one"
    ),
    "pareto_1e6x3": Bench(
        "cosim.bench.explore:pareto_1e6x3", "front of a million points in three objectives"
    ),
    "optical_frames": Bench(
        "cosim.noise.optical_bench:optical_frames", "frames a second through the 4f value model"
    ),
    "optical_resnet18": Bench(
        "cosim.noise.optical_bench:optical_resnet18", "one ResNet-18 forward pass through the 4f value model"
    ),
    "inject_uniform_1e-4": Bench(
        "cosim.noise.bench:inject_uniform_1e_4", "bit errors at 1e-4, stored bits a second"
    ),
    "inject_uniform_1e-2": Bench(
        "cosim.noise.bench:inject_uniform_1e_2", "bit errors at 1e-2, stored bits a second"
    ),
    "inject_pattern_1e-4": Bench("cosim.noise.bench:inject_pattern_1e_4", "cell errors by pattern at 1e-4"),
    "inject_pattern_1e-2": Bench("cosim.noise.bench:inject_pattern_1e_2", "cell errors by pattern at 1e-2"),
    "encode": Bench(
        "cosim.noise.bench:bench_encode", "sign backup, best of three forms a word, pattern counts"
    ),
}


def run(name: str) -> BenchRow:
    """Measure one benchmark; raises ``KeyError`` for an unknown name."""
    module, _, function = BENCHES[name].target.partition(":")
    row = getattr(import_module(module), function)()
    if not isinstance(row, BenchRow):
        raise TypeError(f"benchmark {name} returned {type(row).__name__}")
    return row
