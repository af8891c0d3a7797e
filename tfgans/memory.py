"""How much memory this process has taken, and how much there is."""

import os
import resource
import sys


def peak_bytes():
    """The highest resident size up to now."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def machine_bytes():
    """The machine's memory, whoever uses it."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
