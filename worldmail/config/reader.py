"""Reading worldmail.toml: every fault by file, line, key, what was found and what was expected."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from worldmail.config.lines import Lines
from worldmail.config.listeners import clashes
from worldmail.config.report import Report
from worldmail.config.settings import GENERAL_SECTIONS, Settings
from worldmail.config.structure import structure
from worldmail.errors import ConfigurationError

_SYNTAX = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)")


def read_settings(
    path: Path | str,
    protocol_classes: Mapping[str, type[Any]],
    store_classes: Mapping[str, type[Any]] = MappingProxyType({}),
) -> Settings:
    """Read a configuration file.

    Args:
        path: the file; relative paths in it count from its directory.
        protocol_classes: the settings class of each installed protocol, by its name.
        store_classes: the same of each installed content store that has settings of its own.

    Raises: `ConfigurationError`, whose text has one line for each fault, in the order of the file.
    """
    file = Path(os.path.abspath(path))
    return parse_settings(_text(file), protocol_classes, file, store_classes)


def parse_settings(
    text: str,
    protocol_classes: Mapping[str, type[Any]],
    file: Path,
    store_classes: Mapping[str, type[Any]] = MappingProxyType({}),
) -> Settings:
    """As `read_settings`, from the text of `file`."""
    classes = _classes(protocol_classes, store_classes)
    document = _document(text, file)
    report = Report(file=file, document=document, lines=Lines(text), classes=classes)
    sections: dict[str, Any] = {}
    for name, settings_class in classes.items():
        made, faults = structure(document.get(name, {}), settings_class, (name,))
        sections[name] = made
        report.add(faults)
    for name in document.keys() - classes.keys():
        report.add_unknown_section(name)
    if not report.found:
        report.add_clashes(clashes(sections))
    report.conclude()
    sections = {name: _absolute(section, file.parent) for name, section in sections.items()}
    return Settings(
        content_stores={name: sections[name] for name in store_classes},
        protocols={name: sections[name] for name in protocol_classes},
        file=file,
        **{name: sections[name] for name in GENERAL_SECTIONS},
    )


def _classes(protocol_classes: Mapping[str, type[Any]], store_classes: Mapping[str, type[Any]]) -> dict[str, type[Any]]:
    """The class of every section. Raises `ConfigurationError` if one name stands for two of them."""
    for what, others in (("protocol", protocol_classes), ("content store", store_classes)):
        for name in sorted(GENERAL_SECTIONS.keys() & others.keys()):
            raise ConfigurationError(f"an installed {what} is named {name!r}, which is a section of the server's own")
    for name in sorted(protocol_classes.keys() & store_classes.keys()):
        raise ConfigurationError(f"an installed protocol and an installed content store are both named {name!r}")
    return {**GENERAL_SECTIONS, **store_classes, **protocol_classes}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{file}:{line}: is not UTF-8") from None


def _document(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _SYNTAX.fullmatch(str(error))
        line = (match and match[2]) or text.count("\n") + 1
        problem = match[1] if match else str(error)
        raise ConfigurationError(f"{file}:{line}: is not TOML: {problem}") from None
    except RecursionError:
        raise ConfigurationError(f"{file}: is nested too deeply") from None


def _absolute(value: Any, directory: Path) -> Any:
    """`value` with every relative path in it taken from `directory`."""
    if isinstance(value, Path):
        return Path(os.path.normpath(directory / value))
    if isinstance(value, tuple):
        return tuple(_absolute(item, directory) for item in value)
    if isinstance(value, Mapping):
        return {name: _absolute(item, directory) for name, item in value.items()}
    if attrs.has(type(value)):
        names = [attribute.name for attribute in attrs.fields(type(value))]
        changed = {name: _absolute(getattr(value, name), directory) for name in names}
        return attrs.evolve(value, **changed)
    return value
