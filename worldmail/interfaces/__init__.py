"""The seams between the rooms, split by role. Values that cross a seam live beside its interface."""
