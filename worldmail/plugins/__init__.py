"""Dropins: modules that name the parts of the server and import nothing heavy.

Any directory `worldmail/plugins/` on the import path (without an `__init__.py`) may hold more of them.
"""

from __future__ import annotations

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))  # type: ignore[no-untyped-call]  # Twisted has no types here
__all__: list[str] = []
