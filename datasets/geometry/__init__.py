"""Geometry of lesions and slices: numpy only, no Django, no DICOM files.

Frames. Pixel coordinates are 0-based with pixel centres at integers, x to the right (column), y down (row).
Patient coordinates are DICOM's LPS in mm.
"""
