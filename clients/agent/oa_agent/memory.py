"""What a PIN leaves behind in the memory of this process, and who else can read it.

A string cannot be overwritten in Python, and drivers make copies of their own. But both allocators can overwrite each block
when it is freed: Python's with its debug hooks, glibc's with `MALLOC_PERTURB_` (mallopt(3)). They are told when a program
starts, so the agent starts itself once more. What is in use at this moment is kept from others: Linux lets no other process
of the user read an undumpable one, and its crash leaves no core. Windows and macOS have the first of these at most.
"""

from __future__ import annotations

import ctypes
import os
import sys

# Each block that is freed is filled: Python's with 0xDD, the C library's with the complement of this number.
OVERWRITING = {"PYTHONMALLOC": "pymalloc_debug", "MALLOC_PERTURB_": "165"}
_PR_SET_DUMPABLE = 4  # linux/prctl.h


def overwrite_what_is_freed() -> None:
    """Start this program anew, as the same process, with allocators that overwrite; nothing when they do, or elsewhere."""
    if os.name == "posix" and any(os.environ.get(name) != value for name, value in OVERWRITING.items()):
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, os.environ | OVERWRITING)  # noqa: S606 - our own command line once more


def keep_to_this_process() -> None:
    """Have no core written of this process and, on Linux, no other process of this user read its memory. Raises OSError."""
    if os.name != "posix":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")
