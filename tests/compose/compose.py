"""Docker Compose, asked about the project under test."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = "adhop-compose-test"
PORT = 18437
SETTINGS = {
    "POSTGRES_PASSWORD": "of-the-superuser",
    "DATABASE_OWNER_PASSWORD": "of-the-owner",
    "DATABASE_APP_PASSWORD": "of-the-application",
    "BROKER_PASSWORD": "of-the-broker",
    "IMAGE_TAG": "compose-test",
    "PUBLISH_ON": f"127.0.0.1:{PORT}",
    "ADHOP_MEMBERS": "emt",
    "ADHOP_DEFAULT_SEARCH_MEMBERS": "emt",
    "ADHOP_DEFAULT_SCORE_MEMBERS": "emt",
    "ADHOP_LEASE_S": "6",  # so that the work of what is killed is soon taken up again
    "ADHOP_DISPATCH_INTERVAL_S": "1",
    "ADHOP_WALKERS_PER_WORKER": "5",
}
"""What stands in the drill's .env."""


class Failed(Exception):
    """Something is not as it should be; the message says what."""


@dataclass(frozen=True)
class Project:
    """The Compose file with the drill's changes, on one engine."""

    program: tuple[str, ...]
    """Docker Compose: one program, or `docker compose`."""
    engine: str
    """The engine's own command line: docker or podman."""
    folder: Path
    environment: Mapping[str, str]

    def write_settings(self) -> None:
        (self.folder / "models").mkdir(exist_ok=True)
        lines = {**SETTINGS, "MODELS_FOLDER": str(self.folder / "models")}
        (self.folder / "env").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    def run(self, *words: str, timeout_s: float = 900, quiet: bool = True) -> str:
        """Standard output of `docker compose WORDS`. Raises Failed with the end of what it said."""
        files = ["-f", str(ROOT / "docker-compose.yml"), "-f", str(ROOT / "tests" / "compose" / "override.yml")]
        settings = ["--project-directory", str(ROOT), "--env-file", str(self.folder / "env")]
        command = [*self.program, "--progress", "plain", "-p", PROJECT, *settings, *files, *words]
        return self._call(command, timeout_s, quiet)

    def ask(self, *words: str, timeout_s: float = 60) -> str:
        """Standard output of the engine's own command line."""
        return self._call([self.engine, *words], timeout_s, quiet=True)

    def _call(self, command: Sequence[str], timeout_s: float, quiet: bool) -> str:
        with (self.folder / "commands.log").open("a") as log:
            log.write(f"$ {' '.join(command)}\n")
            done = subprocess.run(
                command,
                env=dict(self.environment),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
            log.write(f"{done.stdout}{done.stderr}")
        if done.returncode:
            raise Failed(
                f"`{' '.join(command[-6:])}` ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}"
            )
        return done.stdout

    def images(self) -> dict[str, str]:
        """By service."""
        services = json.loads(self.run("config", "--format", "json"))["services"]
        return {name: service["image"] for name, service in services.items()}

    def container(self, service: str) -> str:
        """Its id, also where it doesn't run."""
        found = self.run("ps", "--all", "--quiet", service).split()
        if len(found) != 1:
            raise Failed(f"{len(found)} containers of the service {service}")
        return found[0]

    def inspect(self, service: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask("inspect", "--type", "container", self.container(service)))[0]
        return found

    def inside(self, service: str, *command: str) -> str:
        """Standard output of a command in a running container."""
        return self.ask("exec", self.container(service), *command)

    def health(self, service: str) -> str:
        """As the engine knows it."""
        state = self.inspect(service)["State"]
        kept = state.get("Health") or state.get("Healthcheck") or {}
        return str(kept.get("Status", "")) if state["Running"] else "not running"
