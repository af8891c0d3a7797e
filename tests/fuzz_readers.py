"""All kinds of files that `fuzz.py` damages and reads."""

import fuzz_data
import fuzz_models
import fuzz_packed
import fuzz_runs

READERS = [*fuzz_data.READERS, *fuzz_packed.READERS, *fuzz_models.READERS, *fuzz_runs.READERS]
