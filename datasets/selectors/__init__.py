"""Read queries. Nothing here writes, and nothing above this package writes SQL of its own."""
