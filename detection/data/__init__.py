"""From a release on disk to what the network sees."""
