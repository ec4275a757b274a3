"""Launching a stream of kernels: the host prepares operators while the device works on earlier ones.

    stream = max(sum of device times, sum of host times)                                     (Eq. 1)

Neither side waits for the other but at the end, so their totals bound the stream, not their sums per kernel.
"""

from __future__ import annotations

import numpy as np

from cosim.components.params import Params
from cosim.ir.batch import Array


def stream_s(device_s: Array, params: Params) -> float:
    """Seconds of a stream whose kernels take ``device_s`` (L,) on the device (Eq. 1).

    ``host.mode: graph`` leaves the host out: a recorded graph is launched once.
    """
    device = float(np.sum(device_s))
    if params.option("host.mode") == "graph":
        return device
    return max(device, float(np.size(device_s) * np.max(params["host.eager_s"])))
