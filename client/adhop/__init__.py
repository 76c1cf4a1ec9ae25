"""Client of an Adhop server: submit a molecule and a surface, get the lowest adsorption minima."""

from adhop.client import Client
from adhop.errors import AdhopError, JobCancelled, JobFailed, RequestRefused, ServerUnreachable
from adhop.job import Job
from adhop.system import System

__all__ = ["AdhopError", "Client", "Job", "JobCancelled", "JobFailed", "RequestRefused", "ServerUnreachable", "System"]
