"""The project's version, as manifests name it."""

VERSION = "0.1.0"
