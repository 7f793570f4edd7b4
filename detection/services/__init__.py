"""Everything that changes what the database knows of runs and evaluations."""
