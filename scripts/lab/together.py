# SPDX-License-Identifier: GPL-2.0
"""Work for every processor at once."""

import os
from concurrent.futures import ThreadPoolExecutor


def run(jobs):
    """Call all of them, the first first; raises what one of them raised.

    The longest should come first.
    """
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        futures = [pool.submit(job) for job in jobs]
    for future in futures:
        future.result()
