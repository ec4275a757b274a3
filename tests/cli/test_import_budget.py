"""What a command may import: start-up stays light, and heavy libraries stay where they are needed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cosim.spec.locate import ROOT

HEAVY = {"numpy", "pandas", "numba", "torch", "matplotlib", "scipy", "pydantic"}


def modules_after(code: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter has after ``code``."""
    script = f"import sys, json\n{code}\nprint('\\n' + json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def command(*args: str) -> str:
    call = f"main({list(args)!r})"
    return f"from cosim.cli.main import main\ntry:\n    {call}\nexcept SystemExit as e:\n    assert e.code == 0, e.code"


def test_help_imports_nothing_heavy() -> None:
    assert not modules_after(command("--help")) & HEAVY


@pytest.mark.parametrize(
    "name", ["run", "compare", "report", "extract", "validate", "explain", "list", "schema", "new", "bench"]
)
def test_help_of_a_command_imports_nothing_heavy(name: str) -> None:
    assert not modules_after(command(name, "--help")) & HEAVY


def test_import_cosim_is_light() -> None:
    assert not modules_after("import cosim") & HEAVY


def test_run_on_a_workload_file_imports_no_torch_numba_pandas_or_plotting() -> None:
    args = ("run", "arch/optical4f.yaml", "workloads/vit.yaml", "--json")
    assert not modules_after(command(*args)) & {"torch", "numba", "pandas", "matplotlib", "scipy", "onnx"}
