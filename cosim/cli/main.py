"""Entry point. Commands are imported only when they are called, so that ``--help`` stays light."""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from typing import Any

import click

from cosim.cli.exit_codes import INTERRUPTED, exit_code_of

# name -> (module, one line of help). Kept here so that the list of commands costs no import.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("cosim.cli.run", "Evaluate one workload on one machine."),
    "trace": (
        "cosim.cli.trace",
        "Event simulation: timelines, several images, machines that share a memory.",
    ),
    "compare": ("cosim.cli.compare", "Several machines times several workloads in one table."),
    "report": ("cosim.cli.report", "A report (HTML, Markdown, CSV) of what other commands wrote."),
    "efficiency": ("cosim.cli.efficiency", "Efficiency gap and waterline: where the time goes."),
    "sweep": ("cosim.cli.sweep", "A design space: resumable, in processes or on a cluster."),
    "pareto": ("cosim.cli.pareto", "The front of a finished sweep."),
    "search": ("cosim.cli.search", "The front of a design space that is too large to sweep."),
    "allocate": ("cosim.cli.allocate", "Machines, memories or bit widths layer by layer, at the optimum."),
    "sensitivity": ("cosim.cli.sensitivity", "What uncertain parameters do to a result, and to who wins."),
    "reproduce": ("cosim.cli.reproduce", "Published figures against simulated ones."),
    "map": ("cosim.cli.map", "The best mapping of every layer on a storage hierarchy, with a certificate."),
    "extract": (
        "cosim.cli.extract",
        "A torch module, transformers configuration or ONNX file to a workload.",
    ),
    "validate": ("cosim.cli.validate", "Check input files and report every problem at once."),
    "explain": ("cosim.cli.explain", "A parameter, a layer's cost or a column, with its source."),
    "list": ("cosim.cli.list", "What is there: machines, workloads, kinds, columns, operators."),
    "schema": ("cosim.cli.schema", "JSON Schema of a document, for editors."),
    "new": ("cosim.cli.new", "A template for a new kind of machine."),
    "bench": ("cosim.cli.bench", "The program's own speed, with ratios to its naive forms."),
    "measure": ("cosim.cli.measure", "This machine as a machine file and a table of layer times."),
    "check": ("cosim.cli.check", "Hold the models against a folder of reference data."),
    "accuracy": ("cosim.cli.accuracy", "A trained network under this machine's errors, with intervals."),
    "memory": ("cosim.cli.memory", "What encodings save in a weight memory; buffers compared; records."),
    "dram": ("cosim.cli.dram", "What a channel of a DRAM device delivers, pattern by pattern."),
    "import-memory": ("cosim.cli.import_memory", "Output of CACTI, NVSim, DESTINY, NVMExplorer to a record."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; nearest: {close[0]}" if close else ""
            ctx.fail(f"no command {args[0]!r}{hint}; `cosim --help` lists them")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cosim", message="cosim %(version)s")
@click.option("-v", "--verbose", count=True, help="More messages on stderr (twice for debugging).")
@click.option("-q", "--quiet", is_flag=True, help="No messages but errors.")
def cli(verbose: int, quiet: bool) -> None:
    """Hardware simulation and co-design.

    \b
    cosim run arch/optical4f.yaml workloads/vit.yaml --baseline arch/gpu_rtx3090.yaml
    """
    level = logging.ERROR if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")


def main(args: list[str] | None = None) -> Any:
    """Run the command line; known problems become a message on stderr and an exit code, never a traceback."""
    try:
        code = cli.main(args=args, prog_name="cosim", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader (a pager, `head`) has gone; nothing is left to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        known = exit_code_of(error)
        if known is None:
            raise
        click.echo(str(error), err=True)
        code = known
    sys.exit(code if isinstance(code, int) else 0)
