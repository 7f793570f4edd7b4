"""What all refusals of the services have in common."""


class Refused(ValueError):
    """Nothing was written; the message is one sentence for whoever asked."""
