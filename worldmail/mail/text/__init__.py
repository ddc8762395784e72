"""What a person reads in a message, out of the octets that carry it: decoding, comparing, searching, threading.

All of it is pure: octets and text in, text and numbers out. Nothing raises for what stands in mail, and nothing takes
more than linear time for it.
"""
