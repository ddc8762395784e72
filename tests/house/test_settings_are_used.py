"""A setting that nothing reads is a promise that nobody keeps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest

from worldmail.config.fields import fields_of
from worldmail.config.settings import GENERAL_SECTIONS
from worldmail.interfaces.plugin import IContentStorePlugin
from worldmail.interfaces.protocol import IProtocol
from worldmail.plugin import find

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "\n".join(
    path.read_text()
    for path in sorted((ROOT / "worldmail").rglob("*.py"))
    if not path.is_relative_to(ROOT / "worldmail" / "config") and path.name != "settings.py"
)
STORES = {plugin.name: made for plugin in find(IContentStorePlugin) if (made := plugin.settings()) is not None}
SECTIONS = {**GENERAL_SECTIONS, **STORES, **{plugin.name: plugin.settings() for plugin in find(IProtocol)}}
# A setting with one choice says what there is; it becomes a choice with the second.
SETTINGS = [
    (name, field.name)
    for name, section in SECTIONS.items()
    for field in fields_of(section)
    if not (get_origin(field.type) is Literal and len(get_args(field.type)) == 1)
]


@pytest.mark.parametrize(("section", "name"), SETTINGS, ids=lambda text: str(text))
def test_a_setting_is_read_somewhere(section: str, name: str) -> None:
    assert re.search(rf"\.{name}\b", SOURCE), f"[{section}] {name} is read nowhere"
