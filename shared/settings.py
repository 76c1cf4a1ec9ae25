"""Settings of the processes, from environment variables that start with ADHOP_.

Read once by each process's entry point and passed on; nothing reads them at import time.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.logs import LogFormat


class Settings(BaseSettings):
    """ADHOP_DATABASE_URL and ADHOP_BROKER_URL are required; the rest has defaults for a lab server."""

    model_config = SettingsConfigDict(env_prefix="ADHOP_", frozen=True, extra="ignore")

    database_url: SecretStr
    """postgresql://user:password@host:port/name"""
    broker_url: SecretStr
    """redis://:password@host:port/0"""

    # Work
    members: Annotated[tuple[str, ...], NoDecode] = ()
    """Members that this worker hosts, separated by commas."""
    default_search_members: Annotated[tuple[str, ...], NoDecode] = ("chgnet-0.3.0", "sevennet-0")
    default_score_members: Annotated[tuple[str, ...], NoDecode] = (
        "chgnet-0.3.0",
        "sevennet-0",
        "chgnet-r2scan",
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
    lease_s: Annotated[float, Field(gt=0.5, le=3600)] = 20.0
    dispatch_interval_s: Annotated[float, Field(gt=0.05, le=600)] = 5.0
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    task_time_limit_s: Annotated[float, Field(gt=1)] = 1800.0
    """Hard limit of one Celery task: a potential that hangs is killed after it."""
    watchdog_s: Annotated[float, Field(gt=0.5)] = 60.0
    """An idle worker that leaves a message waiting for this long is ended, and started again by its supervisor."""
    task_slice_s: Annotated[float, Field(gt=0.1)] = 300.0
    """A member's task hands over to the next message after this long."""

    log_format: LogFormat = LogFormat.TEXT
    """Log lines for people, or one JSON object a line."""

    # Front end
    host: str = "127.0.0.1"
    port: int = 8000
    max_body_bytes: Annotated[int, Field(ge=1024)] = 4_000_000
    max_atoms: Annotated[int, Field(ge=2)] = 400
    max_open_jobs_per_user: Annotated[int, Field(ge=1)] = 1000
    max_walkers_per_job: Annotated[int, Field(ge=1)] = 500
    publish_timeout_s: Annotated[float, Field(gt=0)] = 2.0
    """Longest wait for the broker when a wake-up message is sent."""

    @field_validator("members", "devices", "default_search_members", "default_score_members", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings."""
    return Settings()
