"""The configuration: settings classes, the reader of worldmail.toml, and what is generated from the classes.

Theory of operation: a section of the file is an attrs class whose fields carry their own
documentation (`fields`). The reader (`reader`) asks `tomllib` for values, `structure` for instances
and faults, `lines` for where each key stands, and says everything that is wrong at once (`report`).
The sample file (`sample`) and the settings page (`pages`) are rendered from the same classes.
"""
