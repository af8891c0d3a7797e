"""`launch/fid.py A B`: its last line, its exit codes."""

import json
import os

import forks


def test_the_last_line_is_the_numbers(call):
    code, out, _ = call("fid", "digits@train", "digits@test", "--features=digits", "--metrics=fid, mind")
    row = json.loads(out.splitlines()[-1])
    assert code == 0 and {"fid", "mind", "features", "first", "second"} <= row.keys() and "kid" not in row


def test_a_name_that_is_no_unicode_is_printed_as_it_is(tmp_path):
    """It is what a shell passes on to the next command; Python by itself prints it in the locale C alone."""
    code = "import sys; sys.stdout.reconfigure(errors='strict')\n" + forks.LAUNCH.format(command="fid")
    flags = "digits@test", "--features=digits", f"--save={tmp_path}/x\udcff.npz"
    fork = forks.Fork(code, "launch/fid.py", *flags, said=tmp_path / "said")
    assert fork.wait() == 0
    assert (tmp_path / "said").read_bytes().splitlines()[-1] == os.fsencode(tmp_path) + b"/x\xff.npz"


def test_mistakes_are_2(call):
    for flags, told in (
        (["digits"], "two sets of images"),
        (["digits", "--save=x.npz", "--metrics=kid"], "its statistics are saved: leave --metrics out"),
        (["digits@train", "nowhere", "--features=digits"], "which is not there"),
        (["digits", "digits", "--features=digits", "--metrics=fidd"], "did you mean fid"),
        (["digits", "digits", "--resize=best"], "legacy_tensorflow"),
    ):
        code, _, err = call("fid", *flags)
        assert code == 2 and told in err and "Traceback" not in err
