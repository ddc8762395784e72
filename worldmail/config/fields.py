"""What a settings class is made of.

A settings class is attrs, frozen and keyword-only; each field has a default, a
type and its documentation:

    @frozen(kw_only=True)
    class QuoteSettings:
        \"\"\"The quote of the day (RFC 865).\"\"\"

        listen: tuple[Listen, ...] = setting((listen("127.0.0.1:17"),), "Where to listen.")
        idle: Duration = setting(duration("30s"), "A peer that is silent for longer is cut off.", minimum=1)
        size: Octets = setting(octets("512"), "The longest quote.")
        order: Literal["random", "daily"] = setting("daily", "Which quote is given.")

The type says what may stand in the TOML file: `str`, `bool`, `int`, `float`, the
types of `worldmail.config.units`, `Literal[...]`, `X | None` (None is the empty
string), `tuple[X, ...]`, `Mapping[str, X]`, `frozenset[X]` and other settings classes (tables).
The class's docstring and each field's documentation appear in the sample and on the settings page.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import attrs

from worldmail.config.units import (
    Duration,
    Listen,
    Network,
    Octets,
    Place,
    duration,
    listen,
    network,
    octets,
)

__all__ = [
    "Duration",
    "Field",
    "Listen",
    "Network",
    "Octets",
    "Place",
    "duration",
    "fields_of",
    "listen",
    "network",
    "octets",
    "setting",
    "summary_of",
]

_KEY = "worldmail.setting"


@attrs.frozen(kw_only=True)
class Note:
    """What a settings field carries in its metadata."""

    doc: str
    minimum: float | None
    maximum: float | None
    check: Callable[[Any], None] | None
    together: Callable[[Any], None] | None
    example: Any
    secret: bool

    def verify(self, value: Any) -> None:
        """Raise ValueError with what was expected if `value` (an item, if it is a tuple) cannot be."""
        for item in value if isinstance(value, tuple) else (value,):
            if self.minimum is not None and item < self.minimum:
                raise ValueError(f"a value of at least {_number(self.minimum)}")
            if self.maximum is not None and item > self.maximum:
                raise ValueError(f"a value of at most {_number(self.maximum)}")
            if self.check is not None:
                self.check(item)
        if self.together is not None:
            self.together(value)


@attrs.frozen(kw_only=True)
class Field:
    """One setting of a class, as readers and writers of configuration need it.

    Args:
        name: the key in the TOML file, which is the attribute's name.
        type: its resolved type, `Annotated` kept.
        default: the default value, `attrs.NOTHING` if the setting must be given (in a table of a list).
        note: its documentation and bounds.
    """

    name: str
    type: Any
    default: Any
    note: Note


def setting(
    default: Any,
    doc: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    check: Callable[[Any], None] | None = None,
    together: Callable[[Any], None] | None = None,
    example: Any = None,
    secret: bool = False,
) -> Any:
    """A field of a settings class.

    Args:
        default: a safe value of the field's own type (`octets("25MB")`, not "25MB"); `attrs.NOTHING`
            only in the class of tables that stand in a list.
        doc: one paragraph: what the setting does, in what unit, and when to change it.
        minimum, maximum: inclusive bounds of a number, in octets or seconds for those units.
        check: called with the value (each item of a tuple); raises ValueError with what was expected.
        together: called with the whole of a tuple, once its items are good; raises the same.
        example: a value to show in the sample where the default says nothing, such as an empty tuple.
        secret: its value appears in no repr and in no message.
    """
    text = " ".join(inspect.cleandoc(doc).split())
    if not text:
        raise ValueError("a setting needs its documentation")
    note = Note(
        doc=text, minimum=minimum, maximum=maximum, check=check, together=together, example=example, secret=secret
    )
    return attrs.field(default=default, metadata={_KEY: note}, validator=_verified, repr=not secret)


def fields_of(settings_class: type[Any]) -> Iterator[Field]:
    """The settings of a class, in their order.

    Raises: TypeError if a field was not made with `setting`, so that nothing goes undocumented.
    """
    hints = get_type_hints(settings_class, include_extras=True)
    for attribute in attrs.fields(settings_class):
        note = attribute.metadata.get(_KEY)
        if not isinstance(note, Note):
            raise TypeError(f"{settings_class.__qualname__}.{attribute.name} was not made with setting()")
        default = attribute.default
        if hasattr(default, "factory"):
            default = default.factory()
        yield Field(name=attribute.name, type=hints[attribute.name], default=default, note=note)


def summary_of(settings_class: type[Any]) -> str:
    """The class's docstring as one paragraph."""
    return " ".join((inspect.getdoc(settings_class) or "").split())


def _verified(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    note: Note = attribute.metadata[_KEY]
    try:
        note.verify(value)
    except ValueError as error:
        raise ValueError(f"{attribute.name}: expected {error}") from None


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
