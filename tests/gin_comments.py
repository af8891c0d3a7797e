"""What the comments at the top of a gin file promise."""

import re


def flags(path):
    """The values of `--gin_param` in its comments, without quotes and what ends a sentence."""
    text = " ".join(line.lstrip("# ") for line in path.read_text().splitlines() if line.startswith("#"))
    found = re.findall(r"--gin_param=(?:\"([^\"]+)\"|'([^']+)'|(\S+))", text)
    return [double or single or plain.rstrip(".,:;") for double, single, plain in found]
