"""What is built from the tree has what the tree has, whatever an earlier build left in `build/`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = (sys.executable, "-W", "ignore", "-c", "from setuptools import build_meta; build_meta.build_wheel('made')")


def test_modules_of_an_earlier_build_do_not_come_back(tmp_path: Path) -> None:
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "worldmail").mkdir()
    shutil.copy(ROOT / "worldmail" / "__init__.py", tmp_path / "worldmail")
    stale = tmp_path / "build" / "lib" / "worldmail" / "removed_long_ago.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    subprocess.run(BUILD, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "made").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "worldmail/__init__.py" in names and "worldmail/removed_long_ago.py" not in names
