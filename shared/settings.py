"""Settings of the processes, from environment variables that start with ADHOP_.

Read once by each process's entry point and passed on; nothing reads them at import time.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.errors import Misconfigured
from shared.logs import LogFormat
from shared.secrets import remember

_URLS = {
    "database_url": (("postgresql", "postgresql+psycopg"), "postgresql://user:password@host:port/name"),
    "broker_url": (("redis", "rediss"), "redis://:password@host:port/0"),
}


GPU_WALKERS = 32
"""Structures of some 80 atoms that a batch needs to give a GPU enough to do."""


class Settings(BaseSettings):
    """ADHOP_DATABASE_URL and ADHOP_BROKER_URL are required; the rest has defaults for a lab server."""

    model_config = SettingsConfigDict(env_prefix="ADHOP_", frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: SecretStr
    """postgresql://user:password@host:port/name"""
    broker_url: SecretStr
    """redis://:password@host:port/0"""

    # Work
    members: Annotated[tuple[str, ...], NoDecode] = ()
    """Members that this worker hosts, separated by commas."""
    default_search_members: Annotated[tuple[str, ...], NoDecode, Field(max_length=10)] = (
        "chgnet-0.3.0",
        "sevennet-mf-0-pbe",
    )
    default_score_members: Annotated[tuple[str, ...], NoDecode, Field(max_length=10)] = (
        "chgnet-0.3.0",
        "sevennet-mf-0-pbe",
        "sevennet-l3i5",
    )
    device: str = "cpu"
    """"cpu" or "cuda"; which CUDA device is decided by CUDA_VISIBLE_DEVICES."""
    models_file: Path | None = None
    """The administrator's registry: members whose checkpoints don't come in a wheel (worker/potentials/members_file.py)."""
    devices: Annotated[tuple[str, ...], NoDecode] = ()
    """CUDA devices that `python -m worker up` uses, by UUID or index, separated by commas; none named means all."""
    cpu_workers: Annotated[int, Field(ge=0, le=256)] = 1
    """Potentials workers that `python -m worker up` starts where there is no CUDA device."""
    min_free_gib: Annotated[float, Field(ge=0)] = 1.0
    """Memory that stays free on a device; one that has less isn't used."""
    members_memory_gib: Annotated[float, Field(gt=0)] | None = None
    """Memory that one worker's members may take together; without a limit, what is free."""
    walkers_per_worker: Annotated[int, Field(ge=1, le=4096)] = 8
    """Pieces of work that an engine holds at once; where none is set, `GPU_WALKERS` on a CUDA device."""
    lease_s: Annotated[float, Field(gt=0.5, le=3600)] = 20.0
    dispatch_interval_s: Annotated[float, Field(gt=0.05, le=600)] = 5.0
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    task_time_limit_s: Annotated[float, Field(gt=1)] = 1800.0
    """Hard limit of one Celery task: a potential that hangs is killed after it."""
    stage_limit_s: Annotated[float, Field(gt=0.1, le=3600)] = 60.0
    """Longest that a CPU stage (placements, comparison of minima) may compute: what one user's may delay another's by."""
    stage_memory_gib: Annotated[float, Field(gt=0.05)] = 2.0
    """Memory that it may use."""
    watchdog_s: Annotated[float, Field(gt=0.5)] = 60.0
    """An idle worker that leaves a message waiting for this long is ended, and started again by its supervisor."""
    task_slice_s: Annotated[float, Field(gt=0.1)] = 300.0
    """A member's task hands over to the next message after this long."""

    run_dir: Path | None = None
    """Private folder of the files by which processes of one machine tell each other that they live, or shall stop."""

    log_format: LogFormat = LogFormat.TEXT
    """Log lines for people, or one JSON object a line."""

    # Front end
    host: str = "127.0.0.1"
    port: int = 8000
    max_body_bytes: Annotated[int, Field(ge=1024)] = 4_000_000
    max_atoms: Annotated[int, Field(ge=2)] = 400
    max_open_jobs_per_user: Annotated[int, Field(ge=1)] = 1000
    """This and the next two hold for users who have no limits of their own."""
    max_open_force_calls_per_user: Annotated[int, Field(ge=1)] | None = None
    max_gib_per_user: Annotated[float, Field(gt=0)] | None = None
    max_walkers_per_job: Annotated[int, Field(ge=1)] = 500
    max_structures_per_job: Annotated[int, Field(ge=1, le=10_000)] = 2000
    """That are given to be scored."""
    keep_candidates_days: Annotated[float, Field(gt=0)] | None = None
    """So long after a job's end, all but its minima goes; None: never. The dispatcher sees to this and the next two."""
    keep_jobs_days: Annotated[float, Field(gt=0)] | None = None
    keep_audit_days: Annotated[float, Field(gt=0)] | None = None
    max_selections_per_job: Annotated[int, Field(ge=0)] = 50
    """Asked for beside its own; each keeps a verdict on every candidate."""
    max_selections_per_user: Annotated[int, Field(ge=0)] = 5000
    max_labels_per_candidate: Annotated[int, Field(ge=0)] = 20
    """Reference energies that were fed back."""
    max_labels_per_user: Annotated[int, Field(ge=0)] = 100_000
    max_calibrations_per_user: Annotated[int, Field(ge=0)] = 50
    """Proposed, and not published."""
    max_requests_per_minute: Annotated[int, Field(ge=1)] = 3000
    """Of one user; a third of it may come at once. Users may have a limit of their own."""
    max_requests_at_once: Annotated[int, Field(ge=1)] = 32
    """Of one user, those that wait included."""
    max_failed_keys_per_minute: Annotated[int, Field(ge=1)] = 60
    """Requests without a valid key from one address, before their refusal takes a second each."""
    key_cache_s: Annotated[float, Field(ge=0, le=60)] = 1.0
    """How long a key that was looked up counts without being looked up again."""
    session_hours: Annotated[float, Field(gt=0, le=24 * 90)] = 12.0
    """How long somebody who signed in to the page stays so, unless their key ends before."""
    header_timeout_s: Annotated[float, Field(gt=0)] = 10.0
    """For the head of a request to be complete."""
    stall_timeout_s: Annotated[float, Field(gt=0)] = 10.0
    """Longest pause in a body, and in the reading of an answer."""
    upload_timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """For a body to be complete."""
    min_bytes_per_s: Annotated[float, Field(gt=0)] = 2000.0
    """Slower bodies, and slower readers of answers, are cut."""
    max_connections: Annotated[int, Field(ge=8)] = 512
    max_connections_per_address: Annotated[int, Field(ge=4)] = 256
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses of reverse proxies whose X-Forwarded-For is believed, separated by commas."""
    publish_timeout_s: Annotated[float, Field(gt=0)] = 2.0
    """Longest wait for the broker when a wake-up message is sent."""

    @model_validator(mode="before")
    @classmethod
    def _enough_for_a_gpu(cls, values: dict[str, Any]) -> dict[str, Any]:
        on_gpu = values.get("device") == "cuda"
        return {"walkers_per_worker": GPU_WALKERS, **values} if on_gpu else values

    @field_validator("database_url", "broker_url")
    @classmethod
    def _is_url(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        """Read here, where what is wrong can be said without showing a password, as those who use it later would."""
        schemes, likeness = _URLS[str(info.field_name)]
        try:
            parts = urlsplit(value.get_secret_value())
            plain = parts.netloc.count("@") <= 1 and parts.port != 0  # reading the port refuses what is no number
            usable = plain and parts.scheme in schemes and bool(parts.hostname or "host=" in parts.query)
        except ValueError:
            usable = False
        if not usable:
            raise ValueError(
                f"it must read {likeness}, with %XX for each of @ : / ? # [ ] % in the password (the value is not shown)"
            )
        remember(value.get_secret_value())
        return value

    @field_validator(
        "members", "devices", "default_search_members", "default_score_members", "trusted_proxies", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings. Raises Misconfigured, which names the variables that are wrong and shows none of their values."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = (f"{variable(str(one['loc'][0]))}: {reason(one['msg'])}" for one in error.errors(include_input=False))
        raise Misconfigured("; ".join(wrong)) from None


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"ADHOP_{name.upper()}"


def reason(message: str) -> str:
    """What pydantic says is wrong, as a sentence about a variable."""
    if message == "Field required":
        return "it is not set, and has no default"
    return message.removeprefix("Value error, ").replace("Input", "it")
