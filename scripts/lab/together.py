# SPDX-License-Identifier: GPL-2.0
"""Work for every processor at once."""

import os
from concurrent.futures import ThreadPoolExecutor


def run(narrow, wide=()):
    """Call what takes one processor side by side, then, one after the other,
    what takes all of them; raises what one of them raised, returns what they
    did.

    The longest of the narrow ones should come first.
    """
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        futures = [pool.submit(job) for job in narrow]
    return [*(future.result() for future in futures),
            *(job() for job in wide)]
