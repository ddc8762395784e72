"""The scanner knows on which line of a TOML text each key stands."""

from __future__ import annotations

import textwrap

import pytest

from worldmail.config.lines import KeyPath, Lines

TEXT = '''
# [not.a.table]
top = 1
[a]  # a comment with ] and "quotes
  key = "a # no comment ] = "
"quoted.key" = 'x = [' # ]
b.c = 3
long = """
[x]
y = 1
\\""" """
raw = \'\'\'
[z]\'\'\'
list = [ # [[
  1,
  [2,
   3], "a,b",

  { k = 1,
  },
]
after = 1
[[a.rows]]
n = 1
[[a.rows]]
n = 2
[a.rows.sub]
deep = 1
[ "sp aced" . x ]
y = 1
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 3),
        (("a",), 4),
        (("a", "key"), 5),
        (("a", "quoted.key"), 6),
        (("a", "b"), 7),
        (("a", "b", "c"), 7),
        (("a", "long"), 8),
        (("a", "raw"), 12),
        (("a", "list"), 14),
        (("a", "list", 0), 15),
        (("a", "list", 1), 16),
        (("a", "list", 1, 1), 16),
        (("a", "list", 2), 17),
        (("a", "list", 3), 19),
        (("a", "list", 3, "k"), 19),
        (("a", "after"), 22),
        (("a", "rows", 0), 23),
        (("a", "rows", 0, "n"), 24),
        (("a", "rows", 1, "n"), 26),
        (("a", "rows", 1, "sub", "deep"), 28),
        (("sp aced", "x", "y"), 30),
        (("nowhere",), 1),
    ],
)
def test_a_key_is_found_on_its_line(path: KeyPath, line: int) -> None:
    assert Lines(TEXT).of(path) == line


def test_CRLF_line_ends_count_the_same() -> None:
    text = textwrap.dedent(TEXT).replace("\n", "\r\n")
    assert Lines(text).of(("a", "after")) == 22
