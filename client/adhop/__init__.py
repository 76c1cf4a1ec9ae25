"""Client of an Adhop server: submit a molecule and a surface, get the lowest adsorption minima."""

import signal as _signal
import sys as _sys

# of the command: until all is imported, Ctrl-C just ends it
if _sys.argv[0].endswith("/adhop") and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

from adhop.client import Client
from adhop.errors import AdhopError, JobCancelled, JobFailed, RequestRefused, ServerUnreachable
from adhop.job import Job
from adhop.system import System

__all__ = ["AdhopError", "Client", "Job", "JobCancelled", "JobFailed", "RequestRefused", "ServerUnreachable", "System"]
