"""What everything stands on: errors, atomic files, hashes, strict settings, random streams, lazy imports.

Must not import any other room.
"""
