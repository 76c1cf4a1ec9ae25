"""The CPU stages' own child module, but that jobs of some seeds never end, eat memory, or take their process down."""

import os
import time

from worker.tasks import stage_child
from worker.tasks.stage_child import Comparing, Placing

ENDLESS, HUNGRY, DEADLY = 101, 102, 103


def warm_up() -> None:
    stage_child.warm_up()


def answer(request: Placing | Comparing):
    seed = request.parameters.seed if isinstance(request, Placing) else None
    if seed == ENDLESS:
        time.sleep(600)
    if seed == HUNGRY:
        bytearray(10**11)
    if seed == DEADLY:
        os._exit(9)
    return stage_child.answer(request)
