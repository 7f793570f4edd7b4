"""The universal lesion detector; learns from a release on disk and imports no Django."""
