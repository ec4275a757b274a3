"""Result columns of a design point, and what they are."""

from __future__ import annotations

OUTPUTS = ("latency_s", "energy_j", "edp_js", "images_per_s", "average_power_w", "macs_per_j", "utilization")

UNITS = {
    "latency_s": "s",
    "energy_j": "J",
    "edp_js": "J s",
    "images_per_s": "images/s",
    "average_power_w": "W",
    "macs_per_j": "MAC/J",
    "utilization": "",
}
