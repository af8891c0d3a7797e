"""How much memory a process has taken."""

import resource
import sys


def peak_megabytes():
    """The highest resident size of this process up to now."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
