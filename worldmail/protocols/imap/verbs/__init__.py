"""Every IMAP command: one row each. A new one is a module here and a line in `ROWS`."""

from __future__ import annotations

from worldmail.protocols.imap.rows import Command
from worldmail.protocols.imap.verbs.acl import DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS, SETACL
from worldmail.protocols.imap.verbs.append import APPEND
from worldmail.protocols.imap.verbs.authenticate import AUTHENTICATE
from worldmail.protocols.imap.verbs.cancelupdate import CANCELUPDATE
from worldmail.protocols.imap.verbs.capability import CAPABILITY
from worldmail.protocols.imap.verbs.close import CHECK, CLOSE, UNSELECT
from worldmail.protocols.imap.verbs.compress import COMPRESS
from worldmail.protocols.imap.verbs.copy import COPY, MOVE, UID_COPY, UID_MOVE
from worldmail.protocols.imap.verbs.create import CREATE
from worldmail.protocols.imap.verbs.delete import DELETE
from worldmail.protocols.imap.verbs.enable import ENABLE
from worldmail.protocols.imap.verbs.esearch import ESEARCH
from worldmail.protocols.imap.verbs.expunge import EXPUNGE, UID_EXPUNGE
from worldmail.protocols.imap.verbs.fetch import FETCH, UID_FETCH
from worldmail.protocols.imap.verbs.genurlauth import GENURLAUTH
from worldmail.protocols.imap.verbs.id import ID
from worldmail.protocols.imap.verbs.idle import IDLE
from worldmail.protocols.imap.verbs.list import LIST
from worldmail.protocols.imap.verbs.login import LOGIN
from worldmail.protocols.imap.verbs.logout import LOGOUT
from worldmail.protocols.imap.verbs.lsub import LSUB
from worldmail.protocols.imap.verbs.metadata import GETMETADATA, SETMETADATA
from worldmail.protocols.imap.verbs.namespace import NAMESPACE
from worldmail.protocols.imap.verbs.noop import NOOP
from worldmail.protocols.imap.verbs.notify import NOTIFY
from worldmail.protocols.imap.verbs.quota import GETQUOTA, GETQUOTAROOT
from worldmail.protocols.imap.verbs.rename import RENAME
from worldmail.protocols.imap.verbs.replace import REPLACE, UID_REPLACE
from worldmail.protocols.imap.verbs.resetkey import RESETKEY
from worldmail.protocols.imap.verbs.search import SEARCH, UID_SEARCH
from worldmail.protocols.imap.verbs.select import EXAMINE, SELECT
from worldmail.protocols.imap.verbs.sort import SORT, UID_SORT
from worldmail.protocols.imap.verbs.starttls import STARTTLS
from worldmail.protocols.imap.verbs.status import STATUS
from worldmail.protocols.imap.verbs.store import STORE, UID_STORE
from worldmail.protocols.imap.verbs.subscribe import SUBSCRIBE, UNSUBSCRIBE
from worldmail.protocols.imap.verbs.thread import THREAD, UID_THREAD
from worldmail.protocols.imap.verbs.unauthenticate import UNAUTHENTICATE
from worldmail.protocols.imap.verbs.urlfetch import URLFETCH

ROWS: tuple[Command, ...] = (
    CAPABILITY,
    NOOP,
    LOGOUT,
    ID,
    STARTTLS,
    AUTHENTICATE,
    LOGIN,
    ENABLE,
    UNAUTHENTICATE,
    COMPRESS,
    IDLE,
    NAMESPACE,
    LIST,
    LSUB,
    STATUS,
    CREATE,
    DELETE,
    RENAME,
    SUBSCRIBE,
    UNSUBSCRIBE,
    GETACL,
    SETACL,
    DELETEACL,
    LISTRIGHTS,
    MYRIGHTS,
    GETQUOTA,
    GETQUOTAROOT,
    GETMETADATA,
    SETMETADATA,
    NOTIFY,
    GENURLAUTH,
    URLFETCH,
    RESETKEY,
    SELECT,
    EXAMINE,
    CLOSE,
    UNSELECT,
    CHECK,
    FETCH,
    UID_FETCH,
    STORE,
    UID_STORE,
    COPY,
    UID_COPY,
    MOVE,
    UID_MOVE,
    EXPUNGE,
    UID_EXPUNGE,
    APPEND,
    REPLACE,
    UID_REPLACE,
    SEARCH,
    UID_SEARCH,
    SORT,
    UID_SORT,
    THREAD,
    UID_THREAD,
    ESEARCH,
    CANCELUPDATE,
)
