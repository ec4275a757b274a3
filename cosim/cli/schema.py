"""``cosim schema``: JSON Schema of a document, for editors."""

from __future__ import annotations

import json

import click


@click.command("schema")
@click.argument("kind")
def command(kind: str) -> None:
    """Print the JSON Schema of the files of KIND: a kind of machine, workload, board, memory, nest, nest_rules.

    \b
    cosim schema systolic > systolic.schema.json
    """
    from cosim.hardware.load import schema_of

    click.echo(json.dumps(schema_of(kind), indent=2))
