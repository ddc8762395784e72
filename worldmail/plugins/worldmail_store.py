"""The content store that WorldMail comes with."""

from worldmail.plugin import ContentStorePlugin

files = ContentStorePlugin(name="files", store="worldmail.store.files:content_files")
