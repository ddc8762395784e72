"""Mailboxes by name: namespaces, rights, subscriptions, annotations, quota roots (`Folders` provides `IFolders`).

Names, rights and rows are pure or units of a cursor; `folders.py` puts each in a unit of work of its own. A mailbox
that is deleted loses its name at once, by getting one that begins with a control character, and is emptied in slices.
"""

from worldmail.store.folders.folders import Folders
from worldmail.store.folders.public import FolderAdmin

__all__ = ["FolderAdmin", "Folders"]
