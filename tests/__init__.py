"""The tests, arranged like the packages that they test."""
