"""Use cases: each module is one, owns its transactions, and takes keyword arguments only."""
