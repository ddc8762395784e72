"""The content stores that WorldMail comes with."""

from worldmail.plugin import ContentStorePlugin

files = ContentStorePlugin(name="files", store="worldmail.store.files:content_files")
s3 = ContentStorePlugin(
    name="s3",
    store="worldmail.store.s3.opening:content_objects",
    settings="worldmail.store.s3.settings:S3Settings",
    check="worldmail.store.s3.checks:check_bucket",
)
