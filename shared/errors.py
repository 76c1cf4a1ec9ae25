"""Errors of the domain. They know nothing of HTTP; the API maps them once.

AdhopError
├── InvalidInput          the submission can't be used as it is; the message says what to change
├── NotFound              no such thing, or not this user's
├── Conflict              the request contradicts what is stored (a reused Idempotency-Key, a finished job)
├── Unauthorised          no key, or one that is unknown or revoked
├── Forbidden             the key's role doesn't allow this
├── LimitReached          the user has as much open as is allowed; later it may do
├── Unavailable           something that the request needs isn't there yet; later it may be
│   └── OtherVersion      the tables are of another version than this program
├── Misconfigured         the administrator's settings or files can't be used; the message says what to change
├── ScienceFailure        the calculation ended without an answer; trying again gives the same
│   ├── Diverged          energy or forces ran away
│   ├── NoMinimum         a relaxation used up its steps
│   └── TooCostly         a stage reached its limit of time or memory; the message says what to change
└── MachineryFailure      the answer was not computed; trying again may help
    ├── LostLease         another worker holds the row now; this result is refused
    ├── OutOfMemory       the structure doesn't fit the device, alone in its batch
    ├── DeviceFault       the device is in a state that this process can't leave; another process may work
    ├── WorkerLost        the process holding the row ended
    ├── Broken            code of ours or of a potential raised what nobody foresaw
    └── Poison            the row was lost so often that it is given up
"""

from __future__ import annotations


class AdhopError(Exception):
    """Root of Adhop's own errors."""


class InvalidInput(AdhopError):
    """A submission that is refused. `field` names the place in the request, dotted."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class NotFound(AdhopError):
    """Nothing there that this user may see."""


class Conflict(AdhopError):
    """The request contradicts what is stored."""


class Unauthorised(AdhopError):
    """No valid API key came with the request."""


class Forbidden(AdhopError):
    """The API key's role doesn't allow the request."""


class LimitReached(AdhopError):
    """A limit per user is reached; the same request may pass later."""


class Unavailable(AdhopError):
    """Something that the request needs is not there yet; the same request may pass later."""


class Misconfigured(AdhopError):
    """The administrator's settings, files or environment can't be used as they are."""


class OtherVersion(Unavailable):
    """The tables are of another version than this program: it drains, and one of the right version takes over."""


class Failure(AdhopError):
    """A calculation that ended without its result. `kind` is what is stored as `failure_kind`."""

    kind = "failed"


class ScienceFailure(Failure):
    """The physics gave no answer; another attempt would end the same way."""


class Diverged(ScienceFailure):
    """Energy or forces are not finite, or beyond any sane bound."""

    kind = "diverged"


class NoMinimum(ScienceFailure):
    """A relaxation ran out of steps above its force limit."""

    kind = "no_minimum"


class TooCostly(ScienceFailure):
    """A CPU stage reached its limit of time or memory, as it would again."""

    kind = "too_costly"


class MachineryFailure(Failure):
    """Nothing wrong with the structure as far as is known; another attempt may succeed."""


class LostLease(MachineryFailure):
    """The row belongs to someone else now; nothing may be written."""

    kind = "lost_lease"


class OutOfMemory(MachineryFailure):
    """The structure doesn't fit the device even alone in its batch."""

    kind = "out_of_memory"


class DeviceFault(MachineryFailure):
    """The device reported an error that stays for the process's life (a device-side assert, an illegal access)."""

    kind = "device_fault"


class WorkerLost(MachineryFailure):
    """The lease ran out: the process that held the row ended or was cut off."""

    kind = "worker_lost"


class Broken(MachineryFailure):
    """Code of ours or of a potential raised what nobody foresaw; the worker's log has the traceback."""

    kind = "broken"


class Poison(MachineryFailure):
    """The row took its worker down as often as is allowed."""

    kind = "poison"


MACHINERY = frozenset(kind.kind for kind in MachineryFailure.__subclasses__())
"""Kinds of failure that another attempt may mend."""
