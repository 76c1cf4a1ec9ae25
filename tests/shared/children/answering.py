"""A module for child processes that does as it is asked: sleeps, burns time, eats memory, ends."""

import os
import time
from typing import Any

from shared.errors import InvalidInput


def warm_up() -> None:
    """Nothing to do."""


def answer(request: dict[str, Any]) -> Any:
    what = request["what"]
    if what == "say":
        return request.get("word")
    if what == "environment":
        return [name for name in os.environ if name.startswith("ADHOP_")]
    if what == "sleep":
        time.sleep(request["s"])
        return "slept"
    if what == "burn":
        until = time.process_time() + request["s"]
        while time.process_time() < until:
            pass
        return "burnt"
    if what == "eat":
        return len(bytearray(request["bytes"]))
    if what == "write":
        with open("/tmp/adhop-child-wrote", "w") as file:
            file.write("x" * 100)
        return "written"
    if what == "refuse":
        raise InvalidInput("not like this", field="some.field")
    if what == "break":
        raise KeyError("unforeseen")
    if what == "end":
        os._exit(3)
    return os.getpid()
