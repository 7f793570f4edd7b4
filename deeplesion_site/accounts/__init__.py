"""People: their tokens, what they agreed to before they download, and the log of what they did."""
