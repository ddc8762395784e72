"""Who wants to hear of what: the telling half of every feed of changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import define, field, frozen
from twisted.logger import Logger

from worldmail.interfaces.database import Notice, Row

_log = Logger()

Listener = Callable[[Notice], None]
NumberedNotice = tuple[int, str, int]


ByTopicAndKey = dict[str, dict[int | None, list[Listener]]]


@frozen(eq=False)
class _Subscription:
    """Ends itself when it is called. A closure would take six times the memory, and an idle connection has several."""

    listeners: ByTopicAndKey
    topic: str
    key: int | None
    listener: Listener

    def __call__(self) -> None:
        keys = self.listeners.get(self.topic, {})
        if self.listener in keys.get(self.key, ()):
            keys[self.key].remove(self.listener)
            if not keys[self.key]:
                del keys[self.key]


@define
class Listeners:
    """Listeners by topic, and by key or None for all keys."""

    _listeners: ByTopicAndKey = field(factory=dict, init=False)

    def subscribe(self, topic: str, listener: Listener, key: int | None = None) -> Callable[[], None]:
        """See `IChanges.subscribe`."""
        listeners = self._listeners.setdefault(topic, {}).setdefault(key, [])
        listeners.append(listener)
        return _Subscription(self._listeners, topic, key, listener)

    def tell(self, notices: Iterable[NumberedNotice | Row]) -> None:
        """Tell each of them, in this order; the key 0 means every one."""
        for number, topic, key in notices:
            keys = self._listeners.get(topic)
            if keys and key:
                self._call([*keys.get(None, ()), *keys.get(key, ())], Notice(number, topic, key))
            elif keys:
                self._call(_all_of(keys), Notice(number, topic, 0))

    def lost(self, number: int) -> None:
        """The feed has a gap before this number (pruned, or a database from a backup): anything may have changed."""
        for topic, keys in list(self._listeners.items()):
            self._call(_all_of(keys), Notice(number, topic, 0))

    def _call(self, listeners: list[Listener], notice: Notice) -> None:
        for listener in listeners:
            try:
                listener(notice)
            except Exception:  # noqa: BLE001 - one listener's fault is not the next one's
                _log.failure("a listener to {topic} failed", topic=notice.topic)


def _all_of(keys: Mapping[int | None, list[Listener]]) -> list[Listener]:
    return [listener for listeners in keys.values() for listener in listeners]
