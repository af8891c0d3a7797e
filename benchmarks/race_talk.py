"""How `race_torch.py` and the two sides of a race speak: numbers in, JSON objects out, a line each.

Imports neither framework.
"""

import sys
import time

from spoken_to import SpokenTo, say


def answer(run, lines=None):
    """Answers each line that is a number by the seconds an update took of so many, by the clock and of the processor.

    Args:
        run: a function of the number of updates, which ends when they are done.
        lines: standard input, unless others are given. Anything but a number ends it.
    """
    for line in lines or sys.stdin:
        if not line.strip().isdigit():
            break
        updates = int(line)
        began, used = time.perf_counter(), time.process_time()
        run(updates)
        seconds, processor = time.perf_counter() - began, time.process_time() - used
        say(seconds=seconds / updates, processor_seconds=processor / updates)


class Side(SpokenTo):
    """One side of a race.

    Raises: RuntimeError with the last line of what it said on standard error, from the methods, if it has ended.
    """

    def hear(self):
        """The next object that it says."""
        for row in self.objects():
            return row
        self.process.wait()
        raise RuntimeError(self.last_words())

    def run(self, updates):
        """{"seconds", "processor_seconds"} of an update, of so many."""
        self.tell(updates)  # where it cannot be told, `hear` says why
        return self.hear()

    def end(self):
        super().end()
        for stream in (self.process.stdin, self.process.stdout):
            stream.close()
