"""Faults, all of them real: killed workers, servers that go away, clocks that jump, disks that are full.

Each scenario runs in a process of its own with its own database, broker and data folder: `make faults` runs them all
and prints a table, the test suite runs a quicker selection.
"""
