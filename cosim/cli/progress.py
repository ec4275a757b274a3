"""Progress of long work: a bar on a terminal, a line every few seconds elsewhere, nothing when quiet."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import NoReturn

import click

from cosim.cli.exit_codes import INTERRUPTED

LINE_EVERY_S = 5.0


def interrupted(kept: str, same_command: bool = True) -> NoReturn:
    """Say what is kept and how to go on, and leave with the exit code of an interrupt."""
    click.echo(f"\ninterrupted; {kept}" + (". Go on with the same command" if same_command else ""), err=True)
    raise click.exceptions.Exit(INTERRUPTED) from None


def span(seconds: float) -> str:
    """A duration for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """``with Progress("points") as p: p.update(done, total)``; writes to stderr only.

    The rate counts what was done since the first update, so that what a run found finished does not speed it up.
    """

    def __init__(self, unit: str, quiet: bool = False) -> None:
        self.unit = unit
        self.quiet = quiet or logging.getLogger().getEffectiveLevel() >= logging.ERROR
        self.on_terminal = sys.stderr.isatty()
        self.start = time.perf_counter()
        self.first: float | None = None
        self.last_line = self.start
        self.drawn = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.drawn:
            sys.stderr.write("\n")

    def update(self, done: float, total: float, note: str = "") -> None:
        """Show ``done`` of ``total`` with the rate and the time left."""
        if self.quiet:
            return
        now = time.perf_counter()
        if self.first is None:
            self.first = done
        elapsed = max(now - self.start, 1e-9)
        rate = (done - self.first) / elapsed
        left = span((total - done) / rate) if rate > 0 else "unknown"
        speed = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
        text = f"{done:,.0f} of {total:,.0f} {self.unit}, {speed}/s, {left} left{note}"
        if self.on_terminal:
            width = 24
            full = int(width * done / total) if total else width
            sys.stderr.write(f"\r[{'#' * full}{'.' * (width - full)}] {text}\x1b[K")
            sys.stderr.flush()
            self.drawn = True
        elif now - self.last_line >= LINE_EVERY_S:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
            self.last_line = now
