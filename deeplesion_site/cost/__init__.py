"""What a job will cost, told before it starts: the same for its form, its confirmation and the API."""
