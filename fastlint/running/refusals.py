"""What stops a look at running servers: there is none. Light: every command knows it."""


class RunningError(Exception):
    """There is no server to look at. The message is one sentence for the person who asked."""
