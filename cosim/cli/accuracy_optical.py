"""``cosim accuracy`` on a 4f machine: light, converters and alignment instead of bit errors."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import inf
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cosim.hardware.load import Machine

NAMES = {"convsharevit": "convsharevit_same"}
MOST_SEEDS = 3


def show_optical(machine: Machine, model: str, trials: int, images: int | None, as_json: bool) -> None:
    """Accuracy against photons, bits and shifts; every seed trains a network of its own, so at most three are run."""
    from cosim.noise.networks import NetworkError
    from cosim.noise.optical_accuracy import NETWORKS, TEST_IMAGES, optical_accuracy

    name = NAMES.get(model, model)
    if name not in NETWORKS:
        raise NetworkError(
            f"model: found {model!r}, allowed {', '.join(NETWORKS)} on the light of {machine.name}"
        )
    rows = optical_accuracy(
        machine.params,
        name,
        seeds=min(trials, MOST_SEEDS),
        images=min(images or TEST_IMAGES, TEST_IMAGES),
        progress=lambda text: click.echo(text, err=True),
    )
    if as_json:
        listed: list[dict[str, Any]] = [asdict(row) for row in rows]
        for each in listed:
            each["snr_db"] = None if each["snr_db"] == inf else each["snr_db"]
        click.echo(
            json.dumps(
                {"schema": 1, "machine": machine.name, "model": model, "points": listed}, allow_nan=False
            )
        )
        return
    from rich.table import Table

    from cosim.cli import render

    table = Table(
        title=f"{model} on the light of {machine.name}", title_justify="left", box=None, pad_edge=False
    )
    for column in ("varied", "at", "accuracy", "95 % interval", "worst layer SNR"):
        table.add_column(column, justify="left" if column == "varied" else "right")
    for row in rows:
        snr = "-" if row.snr_db == inf else f"{row.snr_db:.1f} dB"
        table.add_row(
            row.varied, f"{row.at:g}", f"{row.accuracy:.2%}", f"{row.low:.2%} .. {row.high:.2%}", snr
        )
    render.console().print(table)
