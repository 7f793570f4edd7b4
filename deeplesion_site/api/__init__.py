"""The REST API, version 1: read-only."""
