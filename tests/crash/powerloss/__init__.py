"""Losing power: a file system and a SQLite VFS that forget what was not synced."""
