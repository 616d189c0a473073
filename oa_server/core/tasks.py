"""What a task that runs on and on has to know about itself."""

from __future__ import annotations

import asyncio


def is_ending() -> bool:
    """Whether this task was told to end.

    Database and bus clients wait with `asyncio.wait_for`, which can swallow a cancellation before Python 3.12, so a loop
    asks here instead of trusting that the cancellation reaches it.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
