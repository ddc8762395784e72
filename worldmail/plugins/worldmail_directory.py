"""The directory source that WorldMail comes with."""

from worldmail.plugin import DirectorySourcePlugin

database = DirectorySourcePlugin(name="database", source="worldmail.directory.source:database_source")
