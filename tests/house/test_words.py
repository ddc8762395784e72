"""The product's files speak of the product alone, and are finished."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURSELVES = Path("tests/house/test_words.py")

# Where, by whom and on whose list it was made is no part of the product.
WORKPLACE = re.compile(
    r"(?<![\w.-])/(?:work|root|home)/\w|\.\./shared|\bissues? #?\d|\bissues show\b|(?<![\w&/])#\d+\b(?!;)",
    re.IGNORECASE,
)
PAGE = re.compile(r"(?<![\w.])[A-Z]{3,}\.md\b")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b|NotImplementedError")
# A reason follows in the same line, or stands in a comment above it.
SILENCED = re.compile(r"#\s*noqa\b(?!: [A-Z]+\d+(?:, [A-Z]+\d+)*\s+\S)|#\s*type:\s*ignore(?!\[[\w, -]+\]\s+#\s*\w)")
NAMES = re.compile(
    r"(?:^|_)(?:handlers?|managers?|engines?|processors?|utils?|helpers?|common|core|base|misc)(?:_|\.|$)"
)


def tracked() -> list[Path]:
    """The text files of the product."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode == 0 and done.stdout:
        names = [Path(name) for name in done.stdout.decode().split("\0") if name]
    else:
        folders = ("worldmail", "twisted", "tests", "benchmarks", "docs", "etc", ".ci", "newsfragments")
        names = [path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*")]
        names += [path.relative_to(ROOT) for path in ROOT.iterdir()]
    return sorted(name for name in names if name != OURSELVES and _is_text(ROOT / name))


def _is_text(path: Path) -> bool:
    if not path.is_file() or "__pycache__" in path.parts:
        return False
    head = path.read_bytes()[:4096]
    return b"\0" not in head


FILES = tracked()


def matches(pattern: re.Pattern[str], path: Path) -> list[str]:
    """Each line of the file in which the pattern is found, with its number."""
    text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
    return [
        f"{path}:{number}: {line.strip()}" for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)
    ]


def test_there_are_files_to_look_at() -> None:
    assert Path("worldmail/errors.py") in FILES


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_does_not_speak_of_the_workplace(path: Path) -> None:
    found = matches(WORKPLACE, path)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_names_only_pages_that_are_here(path: Path) -> None:
    named = set(PAGE.findall((ROOT / path).read_text(encoding="utf-8", errors="replace")))
    assert not [name for name in sorted(named) if not (ROOT / name).exists()]


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".py"], ids=str)
def test_a_module_is_finished(path: Path) -> None:
    found = matches(UNFINISHED, path)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".py"], ids=str)
def test_a_module_is_named_for_what_it_is(path: Path) -> None:
    assert not any(NAMES.search(part) for part in path.parts), path


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.parts[0] == "worldmail" and path.suffix == ".py"], ids=str
)
def test_a_silenced_warning_gives_its_reason(path: Path) -> None:
    lines = (ROOT / path).read_text().splitlines()
    bare = [
        f"{path}:{number}: {line.strip()}"
        for number, line in enumerate(lines, 1)
        if SILENCED.search(line) and not lines[number - 2].lstrip().startswith("#")
    ]
    assert not bare, "\n".join(bare)
