"""Private instances of the servers that the system talks to, for tests and for trying things out.

Each is a context manager: it starts the server that is installed on this machine on free loopback ports, with
its data in a temporary folder, waits until it answers, and on the way out stops it and removes the folder.
"""
