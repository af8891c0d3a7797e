"""The list of faults for `mutants.py` keeps up with the library: what is tried by hand can be tried."""

import dataclasses
import shlex

import mutants


def test_every_fault_has_its_place_and_its_tests():
    assert [line for fault in mutants.FAULTS if (line := mutants.mistake(fault))] == []
    words = [word for fault in mutants.FAULTS for word in shlex.split(fault.tests)]
    files = {word.partition("::")[0] for word in words if word.startswith("tests/")}
    assert [name for name in sorted(files) if not (mutants.ROOT / name).exists()] == []


def test_a_fault_without_its_place_is_told():
    fault = mutants.FAULTS[0]
    gone = dataclasses.replace(fault, old="no such text")
    assert mutants.mistake(gone) == (
        f"{fault.name}: {fault.path} has its text 0 times, not once: 'no such text'"
    )
