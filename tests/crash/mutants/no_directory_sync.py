"""A server that does not sync the directory after the rename of a content file."""

from __future__ import annotations

from launch import serve

from worldmail.store import files


def inject() -> None:
    files.sync_directory = lambda directory: None


if __name__ == "__main__":
    serve(inject)
