"""Work that takes time: durable jobs, and the tasks and commands that run them."""
