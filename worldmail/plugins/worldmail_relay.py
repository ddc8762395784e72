"""The source of recipients of relay domains that WorldMail comes with, beside the lists in its database."""

from worldmail.plugin import RecipientSourcePlugin

files = RecipientSourcePlugin(name="files", source="worldmail.directory.recipient_files:files_source")
