"""Messages as IMAP shows them: where their parts lie, what they say of themselves, and the octets of each section.

Pure functions of octets. A message is scanned once into a tree of `Part`s that hold offsets; everything else is
rendered from the tree. Broken messages have a reading too: nothing here raises for what a message holds, and time and
depth are bounded whatever it holds.
"""
