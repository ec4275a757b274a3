"""Progress of long work: on stderr only, with rate and time left, silent when asked; interrupts keep their word."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from cosim.cli import progress
from cosim.cli.main import main
from cosim.cli.progress import Progress


class Clock:
    """Seconds that a test decides."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(progress.time, "perf_counter", lambda: self.now)


def screen_of(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written to stderr from now on."""
    stream = io.StringIO()
    monkeypatch.setattr(progress.sys, "stderr", stream)
    return stream


def test_a_line_every_few_seconds_with_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """50 of 250 were done before; 20 more in 10 s are 2 a second, so 180 take 90 s."""
    clock, screen = Clock(monkeypatch), screen_of(monkeypatch)
    with Progress("points") as bar:
        bar.update(50, 250)
        clock.now += 2
        bar.update(60, 250)
        assert screen.getvalue() == "", "nothing before five seconds"
        clock.now += 8
        bar.update(70, 250)
    assert screen.getvalue() == "70 of 250 points, 2/s, 2 min left\n"


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, screen = Clock(monkeypatch), screen_of(monkeypatch)
    monkeypatch.setattr(screen, "isatty", lambda: True)
    with Progress("layers") as bar:
        bar.update(0, 4)
        clock.now += 1
        bar.update(1, 4)
    assert screen.getvalue().endswith("\r[######..................] 1 of 4 layers, 1/s, 3 s left\x1b[K\n")


def test_nothing_when_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, screen = Clock(monkeypatch), screen_of(monkeypatch)
    logger = logging.getLogger()
    before = logger.level
    try:
        for level, quiet in ((logging.WARNING, True), (logging.ERROR, False)):
            logger.setLevel(level)
            with Progress("points", quiet=quiet) as bar:
                bar.update(1, 10)
                clock.now += 60
                bar.update(2, 10)
    finally:
        logger.setLevel(before)
    assert screen.getvalue() == ""


@pytest.mark.parametrize("command", ["map", "trace"])
def test_quiet_commands_say_nothing(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = {
        "map": [
            "-q",
            "map",
            "eyeriss",
            "vit",
            "--layer",
            "*.0.attention.scores",
            "--objective",
            "energy",
            "--json",
        ],
        "trace": ["-q", "trace", "systolic_128", "resnet18", "--json"],
    }
    with pytest.raises(SystemExit) as caught:
        main(arguments[command])
    assert caught.value.code == 0
    assert capsys.readouterr().err == ""


def test_an_interrupted_map_says_what_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from cosim.cli.map import command
    from cosim.mapping import mapper_workload

    real = mapper_workload.map_jobs

    def stops(*args: object, **kwargs: object) -> object:
        for number, one in enumerate(real(*args, **kwargs)):  # type: ignore[arg-type]
            yield one
            if number == 0:
                raise KeyboardInterrupt

    monkeypatch.setattr(mapper_workload, "map_jobs", stops)
    state = tmp_path / "state.yaml"
    done = CliRunner().invoke(
        command,
        ["eyeriss", "vit", "--layer", "*.0.attention.*", "--objective", "energy", "--state", str(state)],
    )
    assert done.exit_code == 130
    assert f"1 of 3 shapes done; finished shapes are kept in {state}" in done.stderr
    assert "Go on with the same command" in done.stderr
    assert state.exists()
