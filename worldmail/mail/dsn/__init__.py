"""Reports on delivery: who gets one, and its octets (RFC 3461, RFC 3464, RFC 6522, RFC 6533).

Values in, octets out. `rules` says whether something that happened to a recipient is reported; `compose` makes a
multipart/report of what happened to one or more recipients of a message: words for people, fields for programs, and
the message or its header. A message that is returned whole is not held in memory: its place is between two pieces.
"""
