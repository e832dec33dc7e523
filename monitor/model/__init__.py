"""The values in the middle: what a fleet of stack instances is, and how two listings of it differ.

Nothing in here knows a clock, a socket, a log or a library.
"""
