"""Memory that is freed is there again without the system's help."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from tintype.allocation import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def work():
    return [np.ones(4 * 2**20, np.uint8) for _ in range(8)]
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how):
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems are left as they are")
def test_arrays_that_follow_each_other_take_the_same_memory():
    if page_faults("as it is") < 20 * 4 * 2**20 / 4096:
        pytest.skip("this C library keeps freed memory anyway")
    assert page_faults("kept") < 20 * 2**20 / 4096
