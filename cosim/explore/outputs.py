"""Result columns of a design point, and what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosim.ir.workload import Workload

OUTPUTS = ("latency_s", "energy_j", "edp_js", "images_per_s", "average_power_w", "macs_per_j", "utilization")
# Sizes of the network as it is evaluated; columns of a sweep only where it names them.
SIZES = ("network_macs", "network_params", "network_weight_bytes")

UNITS = {
    "latency_s": "s",
    "energy_j": "J",
    "edp_js": "J s",
    "images_per_s": "images/s",
    "average_power_w": "W",
    "macs_per_j": "MAC/J",
    "utilization": "",
    "network_macs": "MAC/image",
    "network_params": "",
    "network_weight_bytes": "B",
}


def sizes_of(network: Workload) -> Mapping[str, float]:
    """:data:`SIZES`: multiply-accumulates of one image, trained parameters, and their bytes as stored."""
    stored_bits = sum((layer.params - layer.shared_params) * layer.w_bits for layer in network.layers)
    values = (network.macs / network.batch, network.params, stored_bits / 8)
    return dict(zip(SIZES, map(float, values), strict=True))


def short_names(names: Sequence[str]) -> dict[str, str]:
    """For every dotted name the shortest end of it that no other name has."""
    found = {}
    for name in names:
        parts = name.split(".")
        ends = [".".join(parts[-count:]) for count in range(1, len(parts) + 1)]
        others = [other for other in names if other != name]
        found[name] = next((e for e in ends if not any(_ends(other, e) for other in others)), name)
    return found


def _ends(name: str, end: str) -> bool:
    return name == end or name.endswith(f".{end}")


def label(name: str) -> str:
    """A column's name with its unit, for axes and tables."""
    unit = UNITS.get(name)
    return f"{name} [{unit}]" if unit else name


def readable(name: str, value: Any, digits: int = 4) -> str:
    """A value for people: sizes in KiB and MiB, other numbers with a few digits, nothing for None."""
    if value is None:
        return ""
    if not isinstance(value, float | int):
        return str(value)
    if name.endswith("_bytes"):
        for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
            if value >= size:
                return f"{value / size:g} {unit}"
    return f"{value:.{digits}g}"
