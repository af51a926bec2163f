"""How the C library keeps memory, for commands that work on one picture after the other."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)


def keep_freed_memory() -> None:
    """Let glibc keep some of the memory that is freed, for the next strip, instead of handing each array back.

    Arrays of strips are some megabytes: just so large that each would be mapped, cleared by the system and unmapped
    again. That took a third of the CPU time of a batch of 1920 x 1200 pictures. It may cost 64 MiB a thread. Other
    systems are left as they are.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 32 * 2**20)
        mallopt(_TRIM_THRESHOLD, 64 * 2**20)
