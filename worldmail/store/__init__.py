"""Mailboxes, messages, content and trace, as rows and (large content) places.

`open_store` makes all of it from the configuration: `Mailboxes`, `Messages`, `Folders`, `Acceptances`, `Traces`, and
the service that collects unreferenced content, files the trace and keeps a reserve on the disk.
`worldmail.store.files` and `worldmail.store.s3` are the built-in content stores.
"""

from worldmail.store.acceptance import Acceptances
from worldmail.store.files import ContentFiles
from worldmail.store.mailboxes import Mailboxes
from worldmail.store.messages import Messages
from worldmail.store.opening import Store, open_store
from worldmail.store.trace import Traces

__all__ = ["Acceptances", "ContentFiles", "Mailboxes", "Messages", "Store", "Traces", "open_store"]
