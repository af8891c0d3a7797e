"""The exception of everything that cannot be run."""


class ConfigError(ValueError):
    """A configuration or an input that cannot be run; its message is one line for the user."""


def first_line(error):
    """The first line of an exception's message: gin and Keras append several more."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
