"""``cosim extract``: a real model to a workload file."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("extract")
@click.argument("model")
@click.option(
    "--input-shape",
    "input_shapes",
    multiple=True,
    metavar="SHAPE",
    help="Shape such as 1x3x224x224, or name:1x128:int64 (repeatable, in argument order).",
)
@click.option("--name", help="Name of the workload (default: from the model).")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Write the workload here.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option(
    "--min-coverage", default=0.99, show_default=True, help="Smallest share of MACs that must be modelled."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print counts and the coverage report as one JSON document."
)
def command(
    model: str,
    input_shapes: tuple[str, ...],
    name: str | None,
    out: Path | None,
    force: bool,
    min_coverage: float,
    as_json: bool,
) -> None:
    """Extract the layers of MODEL through torch.export or ONNX shape inference.

    \b
    MODEL is one of
      path/file.py:Name, package.module:Name    a torch.nn.Module class or function that returns one
      hf:ViTConfig, hf:GPT2Config?n_layer=6     a transformers configuration with overrides
      path/model.onnx                           an ONNX file
    \b
    cosim extract hf:ViTConfig --input-shape 1x3x224x224 --name vit --out workloads/vit.yaml
    """
    from cosim.frontends.extract import ExtractError, extract
    from cosim.ir.workload_file import save_workload

    if out is not None and out.exists() and not force:
        raise ExtractError(f"{out}: found an existing file; choose another name or add --force")
    workload = extract(model, input_shapes=input_shapes, name=name)
    coverage = workload.coverage
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        save_workload(workload, out)
        click.echo(f"wrote {out}", err=True)
    if as_json:
        counts = {
            "name": workload.name,
            "layers": len(workload),
            "macs": workload.macs,
            "params": workload.params,
        }
        click.echo(json.dumps({"schema": 1, **counts, "coverage": coverage.to_json()}))
    else:
        click.echo(
            f"{workload.name}: {len(workload)} layers, {workload.macs:,} MACs, {workload.params:,} parameters, "
            f"{coverage.macs_share:.2%} of MACs and {coverage.bytes_share:.2%} of bytes modelled"
        )
        for row in coverage.operators:
            click.echo(f"  {row.treatment:9} {row.count:5} x {row.operator}")
    if coverage.macs_share < min_coverage:
        from cosim.engine import CoverageError

        raise CoverageError(
            f"{coverage.macs_share:.1%} of the MACs are modelled, the threshold is {min_coverage:.1%}; "
            f"not modelled: {', '.join(coverage.unknown)}"
        )
