"""The tables. PostgreSQL is the truth; every claimable row carries its own lease (columns.Claimable).

users 1-n api_keys 1-n page_tokens; users n-m groups 1-n jobs;
users 1-n jobs 1-n placements 1-n walkers 1-n candidates 1-n member_energies;
jobs 1-n selections 1-n scores, minima -> candidates; candidates 1-n reference_energies; jobs n-m references; calibrations by members.
given_structures are of a job until its placements are stored.
"""

from shared.database.tables.accounts import ApiKey, Group, Membership, PageToken, User
from shared.database.tables.audit import AuditEntry
from shared.database.tables.base import Base, WorkRow, claim_tokens
from shared.database.tables.given import GivenStructures
from shared.database.tables.jobs import Job, StageRow, Walker
from shared.database.tables.machinery import Attempt, MemberDevice, RegisteredMember, Worker
from shared.database.tables.placements import Placement, StructureRow
from shared.database.tables.references import JobReference, Reference
from shared.database.tables.results import (
    Calibration,
    Candidate,
    MemberEnergy,
    ReferenceEnergy,
)
from shared.database.tables.selections import Minimum, Score, Selection
from shared.database.tables.usage import STRIPES, Lane, Turn, Usage

__all__ = [
    "STRIPES",
    "ApiKey",
    "Attempt",
    "AuditEntry",
    "Base",
    "Calibration",
    "Candidate",
    "GivenStructures",
    "Group",
    "Job",
    "JobReference",
    "Lane",
    "MemberDevice",
    "MemberEnergy",
    "Membership",
    "Minimum",
    "PageToken",
    "Placement",
    "Reference",
    "ReferenceEnergy",
    "RegisteredMember",
    "Score",
    "Selection",
    "StageRow",
    "StructureRow",
    "Turn",
    "Usage",
    "User",
    "Walker",
    "WorkRow",
    "Worker",
    "claim_tokens",
]
