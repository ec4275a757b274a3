"""``cosim new``: a template for a new kind of machine."""

from __future__ import annotations

import re
from pathlib import Path

import click


@click.command("new")
@click.argument("kind")
@click.option(
    "--root",
    default=".",
    show_default=True,
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Checkout that gets the two files.",
)
def command(kind: str, root: Path) -> None:
    """Write cosim/hardware/KIND.py and arch/KIND.yaml: a complete small model that passes the conformance tests.

    \b
    cosim new cim_array && make test
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", kind):
        raise click.BadParameter(f"found {kind!r}, allowed a lower-case Python name such as cim_array")
    package = root / "cosim" / "hardware"
    if not package.is_dir():
        raise click.BadParameter(
            f"{root}: found no cosim/hardware folder; call it in a checkout, or give --root"
        )
    targets = {package / f"{kind}.py": ".py", root / "arch" / f"{kind}.yaml": ".yaml"}
    for target in targets:
        if target.exists():
            raise click.BadParameter(f"{target} exists already; choose another name")
    camel = "".join(part.capitalize() for part in kind.split("_"))
    for target, suffix in targets.items():
        text = (Path(__file__).parents[1] / "hardware" / f"_template{suffix}").read_text(encoding="utf-8")
        text = text.replace("TemplateSpec", f"{camel}Spec").replace("TemplateModel", f"{camel}Model")
        text = text.replace('"template"', f'"{kind}"').replace("Template kind:", f"Kind `{kind}`:")
        text = text.replace("kind: template", f"kind: {kind}").replace("name: template", f"name: {kind}")
        text = text.replace("`template`", f"`{kind}`").replace("arch/template.yaml", f"arch/{kind}.yaml")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        click.echo(f"wrote {target}", err=True)
    click.echo(
        f"next: cosim validate --strict arch/{kind}.yaml; cosim run arch/{kind}.yaml workloads/resnet18.yaml"
    )
