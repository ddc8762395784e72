"""From what `tomllib` gives to settings, strictly: nothing is coerced, every fault is found.

`cattrs` walks the classes and gathers the faults; the hooks here say what each
type takes and what was expected.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from types import GenericAlias, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs
from cattrs import AttributeValidationNote, Converter, IterableValidationNote
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, override

from worldmail.config.fields import Field, fields_of
from worldmail.config.lines import KeyPath
from worldmail.config.units import LISTEN, NETWORK, Listen, Network, Unit

Hook = Callable[[Any, Any], Any]


class Expected(ValueError):
    """A value does not fit; the text says what was expected."""


@attrs.frozen
class Fault:
    """One thing that is wrong: where, and what was expected there (None: the key itself is not known)."""

    path: KeyPath
    expected: str | None


def structure(value: Any, settings_class: type[Any], path: KeyPath) -> tuple[Any, list[Fault]]:
    """An instance of `settings_class` and no faults, or None and the faults."""
    try:
        return _CONVERTER.structure(value, settings_class), []
    except Expected as error:
        return None, [Fault(path, str(error))]
    except BaseValidationError as error:
        return None, list(_faults(error, path))


def unit_of(kind: Any) -> Unit | None:
    """The unit of an annotated type, of `Listen` or of `Network`."""
    if kind is Listen:
        return LISTEN
    if kind == Network:
        return NETWORK
    if get_origin(kind) is Annotated:
        return next((item for item in get_args(kind) if isinstance(item, Unit)), None)
    return None


def optional_of(kind: Any) -> Any:
    """X of `X | None`; None for any other type."""
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType) and type(None) in arguments:
        rest = tuple(argument for argument in arguments if argument is not type(None))
        return Union[rest]  # noqa: UP007 - a union of a computed tuple has no other spelling
    return None


def choices(kind: Any) -> str:
    """The values of a Literal, as a person reads them."""
    return "one of " + ", ".join(json.dumps(choice) for choice in get_args(kind))


def _generic(kind: Any) -> Any:
    """`tuple` of `tuple[X, ...]`."""
    return get_origin(kind)


def _structured(value: Any, kind: Any) -> Any:
    return _CONVERTER.structure(value, kind)


def _faults(error: BaseException, path: KeyPath) -> Iterator[Fault]:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            path = (*path, note.name)
        elif isinstance(note, IterableValidationNote):
            path = (*path, note.index)
    if isinstance(error, ForbiddenExtraKeysError):
        yield from (Fault((*path, name), None) for name in sorted(error.extra_fields))
    elif isinstance(error, BaseValidationError):
        for inner in error.exceptions:
            yield from _faults(inner, path)
    elif isinstance(error, KeyError):
        yield Fault(path, "a value: it has no default")
    else:
        yield Fault(path, str(error))


def _strict(kinds: tuple[type[Any], ...], expected: str) -> Hook:
    def read(value: Any, _: Any) -> Any:
        if type(value) not in kinds:
            raise Expected(expected)
        return value

    return read


def _read_unit(value: Any, kind: Any) -> Any:
    unit = unit_of(kind)
    assert unit is not None
    try:
        return unit.read(value)
    except ValueError as error:
        raise Expected(str(error)) from None


def _read_literal(value: Any, kind: Any) -> Any:
    if not any(type(value) is type(choice) and value == choice for choice in get_args(kind)):
        raise Expected(choices(kind))
    return value


def _read_optional(value: Any, kind: Any) -> Any:
    return None if value == "" else _structured(value, optional_of(kind))


def _read_items(value: Any, kind: Any) -> Any:
    if not isinstance(value, list):
        raise Expected("a list, in brackets")
    origin, items = _generic(kind), GenericAlias(list, get_args(kind)[:1])
    return origin(_structured(value, items))


def _read_table(value: Any, kind: Any) -> Any:
    if not isinstance(value, dict):
        raise Expected("a table")
    return _structured(value, GenericAlias(dict, (str, get_args(kind)[1])))


def _field_hook(field: Field) -> Hook:
    def read(value: Any, _: Any) -> Any:
        found = _structured(value, field.type)
        try:
            field.note.verify(found)
        except ValueError as error:
            raise Expected(str(error)) from None
        return found

    return read


def _class_hook(settings_class: type[Any]) -> Hook:
    hooks: dict[str, Any] = {
        field.name: override(struct_hook=_field_hook(field)) for field in fields_of(settings_class)
    }
    made = make_dict_structure_fn(settings_class, _CONVERTER, _cattrs_forbid_extra_keys=True, **hooks)

    def read(value: Any, kind: Any) -> Any:
        if not isinstance(value, dict):
            raise Expected("a table")
        return made(value, kind)

    return read


def _converter() -> Converter:
    converter = Converter(detailed_validation=True, forbid_extra_keys=True)
    # The last one registered is asked first.
    converter.register_structure_hook_factory(attrs.has, _class_hook)
    converter.register_structure_hook_func(lambda kind: _generic(kind) in (tuple, frozenset), _read_items)
    converter.register_structure_hook_func(lambda kind: _generic(kind) is Mapping, _read_table)
    converter.register_structure_hook(bool, _strict((bool,), "true or false"))
    converter.register_structure_hook(int, _strict((int,), "a whole number"))
    converter.register_structure_hook(float, _strict((int, float), "a number"))
    converter.register_structure_hook(str, _strict((str,), "a text, in quotes"))
    converter.register_structure_hook_func(lambda kind: _generic(kind) is Literal, _read_literal)
    converter.register_structure_hook_func(lambda kind: optional_of(kind) is not None, _read_optional)
    converter.register_structure_hook_func(lambda kind: unit_of(kind) is not None, _read_unit)
    return converter


_CONVERTER = _converter()
