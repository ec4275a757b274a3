"""A new kind from the template passes the conformance suite unedited."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from cosim.spec.locate import ROOT


def run(args: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(args, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_template_passes_conformance_unedited(tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "cosim", tmp_path / "cosim", ignore=ignore)
    shutil.copytree(ROOT / "tests" / "conformance", tmp_path / "tests" / "conformance", ignore=ignore)
    (tmp_path / "tests" / "__init__.py").touch()
    (tmp_path / "arch").mkdir()
    shutil.copy(ROOT / "arch" / "sources.yaml", tmp_path / "arch")
    call = "from cosim.cli.main import main; main({!r})"

    made = run([sys.executable, "-c", call.format(["new", "cim_array"])], tmp_path)
    assert made.returncode == 0, made.stderr
    again = run([sys.executable, "-c", call.format(["new", "cim_array"])], tmp_path)
    assert again.returncode == 2
    assert "exists already" in again.stderr

    strict = run(
        [sys.executable, "-c", call.format(["validate", "--strict", "arch/cim_array.yaml"])], tmp_path
    )
    assert strict.returncode == 0, strict.stderr
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-k", "cim_array"]
    suite = run([sys.executable, "-m", "pytest", *options, "tests/conformance"], tmp_path)
    assert suite.returncode == 0, suite.stdout[-3000:] + suite.stderr[-1000:]
    assert " passed" in suite.stdout
    assert "failed" not in suite.stdout


def test_a_name_that_is_no_module_name_is_refused(tmp_path: Path) -> None:
    made = run([sys.executable, "-c", "from cosim.cli.main import main; main(['new', 'My-Chip'])"], ROOT)
    assert made.returncode == 2
    assert "lower-case Python name" in made.stderr
