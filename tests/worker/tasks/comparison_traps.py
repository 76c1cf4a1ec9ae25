"""The CPU stages' own child module, but that comparing minima never ends or takes the process down, by the tolerance asked for."""

import os
import time

from worker.tasks import stage_child
from worker.tasks.stage_child import Comparing, Placing

ENDLESS, DEADLY = 1.99, 1.98
"""Tolerances of similarity, Å."""

warm_up = stage_child.warm_up


def answer(request: Placing | Comparing):
    distance = request.tolerances.distance if isinstance(request, Comparing) else None
    if distance == ENDLESS:
        time.sleep(600)
    if distance == DEADLY:
        os._exit(9)
    return stage_child.answer(request)
