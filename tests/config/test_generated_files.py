"""etc/worldmail.toml and docs/settings.md are what the program would write."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from worldmail.config.fields import fields_of
from worldmail.config.reader import parse_settings
from worldmail.config.settings import GENERAL_SECTIONS
from worldmail.interfaces.plugin import IContentStorePlugin
from worldmail.interfaces.protocol import IProtocol
from worldmail.plugin import find

ROOT = Path(__file__).resolve().parents[2]
FILES: dict[Path, str] = runpy.run_path(str(ROOT / ".ci" / "generate"))["files"]()
PROTOCOLS = {plugin.name: plugin.settings() for plugin in find(IProtocol)}
STORES = {plugin.name: made for plugin in find(IContentStorePlugin) if (made := plugin.settings()) is not None}
EVERY = {**GENERAL_SECTIONS, **STORES, **PROTOCOLS}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_generated_file_is_up_to_date(path: Path) -> None:
    assert path.read_text() == FILES[path], f"{path.name} is old: run .ci/generate"


def test_the_sample_as_it_stands_gives_every_default() -> None:
    text = (ROOT / "etc" / "worldmail.toml").read_text()
    settings = parse_settings(text, PROTOCOLS, Path("/somewhere/worldmail.toml"), STORES)
    for name, section in settings.sections().items():
        default = EVERY[name]()
        for field in fields_of(type(section)):
            if not isinstance(field.default, Path):
                assert getattr(section, field.name) == getattr(default, field.name), f"[{name}] {field.name}"


def test_the_sample_with_every_mark_taken_away_is_read_without_a_fault() -> None:
    text = (ROOT / "etc" / "worldmail.toml").read_text()
    bare = re.sub(r"(?m)^#(?=[\w\[\"])", "", text)
    assert bare.count("\n#") < text.count("\n#")
    parse_settings(bare, PROTOCOLS, Path("/somewhere/worldmail.toml"), STORES)


@pytest.mark.parametrize("name", [*EVERY])
def test_what_the_sample_gives_as_an_example_can_be_set(name: str) -> None:
    text = (ROOT / "etc" / "worldmail.toml").read_text()
    section = re.split(r"\n\[+[\w.]+\]+\n", text.partition(f"\n[{name}]\n")[2])[0]
    for example in re.findall(r"(?m)^# For example: (.*)$", section):
        parse_settings(f"[{name}]\n{example}\n", PROTOCOLS, Path("/somewhere/worldmail.toml"), STORES)


@pytest.mark.parametrize("name", [*EVERY])
def test_the_sample_names_every_setting_of_a_section(name: str) -> None:
    text = (ROOT / "etc" / "worldmail.toml").read_text()
    section = text.partition(f"\n[{name}]\n")[2]
    section = re.split(r"\n\[\w+\]\n", section)[0]
    for field in fields_of(EVERY[name]):
        assert re.search(rf"(?m)^#?(?:\[+{name}\.)?{field.name}\b", section), field.name
