"""Frozen values: stack instances, snapshots, products, transitions, errors; and the diff of two listings.

Nothing here reads a clock or uses a socket, a log or a library.
"""
