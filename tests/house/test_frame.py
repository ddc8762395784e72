"""The repository's frame says the same thing everywhere."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETUP = configparser.ConfigParser(interpolation=None)
SETUP.read(ROOT / "setup.cfg")
README = (ROOT / "README.md").read_text()


def requirements(text: str) -> set[str]:
    """The names in a list of requirements, as package indexes write them."""
    lines = (line.strip() for line in text.splitlines())
    return {re.split(r"[\s\[<>=]", line)[0].lower() for line in lines if line and not line.startswith(("#", "%"))}


def every_requirement() -> set[str]:
    """What is needed at run time and for any extra."""
    lists = [SETUP["options"]["install_requires"], *SETUP["options.extras_require"].values()]
    return set().union(*map(requirements, lists))


@pytest.mark.parametrize("name", sorted(every_requirement()))
def test_a_dependency_has_its_line(name: str) -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    assert re.search(rf"(?m)^\| {re.escape(name)} \|", page), f"docs/dependencies.md has no line on {name}"


def test_the_line_of_a_dependency_that_is_gone_is_gone() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    listed = set(re.findall(r"(?m)^\| ([a-z][\w.-]*) \|", page)) - {"package"}
    assert listed == every_requirement()


def test_continuous_integration_runs_the_command_of_the_readme() -> None:
    commands = re.findall(r"(?m)^    (.*-m pytest .*)$", README)
    assert len(commands) == 1
    assert (ROOT / ".ci" / "run").read_text().count("README.md") >= 1


def test_every_way_to_start_twistd_says_where_the_pid_file_is() -> None:
    texts = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "etc").iterdir()]
    for path in texts:
        for line in path.read_text().splitlines():
            if re.search(r"\btwistd (?:-|--nodaemon)", line) and "worldmail" in line:
                assert "--pidfile=" in line, f"{path.relative_to(ROOT)}: {line}"


def test_the_links_of_the_pages_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def test_every_page_of_the_guide_can_be_reached_from_its_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        if page.name != "index.md":
            assert f"({page.relative_to(ROOT / 'docs')})" in index, page


def test_news_fragments_are_named_as_towncrier_reads_them() -> None:
    for path in (ROOT / "newsfragments").iterdir():
        assert path.name == "README.md" or re.fullmatch(
            r"\+[a-z0-9-]+\.(feature|bugfix|security|removal|doc)\.md", path.name
        ), path.name


def test_imports_go_down_the_floors() -> None:
    pytest.importorskip("importlinter")
    command = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout
