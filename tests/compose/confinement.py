"""What a container may do, seen from inside it."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator, Sequence

from tests.compose.compose import SETTINGS, Failed, Project

_LOOK = """
for first in 1 self; do grep -E '^(Uid|Gid|Cap[A-Z]|NoNewPrivs)' /proc/$first/status; done
for place in / /etc /usr /srv /var /home; do if touch $place/written 2>/dev/null; then echo "writable: $place"; fi; done
touch /tmp/written || echo "missing: /tmp"
cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max
cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max
cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.peak
"""
_REACHES = "import socket; socket.create_connection(({host!r}, {port}), timeout=3)"
_ROLE = """
import os, psycopg
with psycopg.connect(os.environ["ADHOP_DATABASE_URL"]) as connection:
    role = "SELECT current_user, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    owned = "SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole"
    print(*connection.execute(role).fetchone(), *connection.execute(owned).fetchone())
"""
_UNLIMITED = 2**60
OURS = ("api", "dispatcher", "cpu", "gpu")
_SERVERS = {"postgres": 5432, "broker": 6379}
_PRIVATE = {
    "POSTGRES_PASSWORD": {"postgres", "roles"},
    "DATABASE_OWNER_PASSWORD": {"roles", "migrate"},
}
"""Services whose environment may hold these."""


def check(project: Project, services: Sequence[str], outside: str | None) -> Iterator[str]:
    """Lines that say what holds. Raises Failed at the first thing that doesn't."""
    for service in services:
        yield _limits(service, project.inside(service, "sh", "-c", _LOOK))
    yield _network(project, services, outside)
    yield _database(project)
    yield _passwords(project, services)


def _limits(service: str, told: str) -> str:
    lines = told.splitlines()
    trouble = [line for line in lines if line.startswith(("writable", "missing"))]
    for line in lines:
        name, _, value = line.partition(":")
        if (name in ("Uid", "Gid") and "0" in value.split()) or (name.startswith("Cap") and int(value, 16)):
            trouble.append(line)
        if name == "NoNewPrivs" and value.strip() != "1":
            trouble.append(line)
    memory, pids, peak = lines[-3:]
    if not memory.isdigit() or int(memory) > _UNLIMITED or not pids.isdigit():
        trouble.append(f"memory {memory}, processes {pids}")
    if trouble or len([line for line in lines if line.startswith("Cap")]) != 10:
        raise Failed(f"{service} is not confined: {'; '.join(trouble) or told}")
    return (
        f"{service}: no root, no capability, nothing writable but what is named; at most {int(memory) / 2**20:.0f} MiB "
        f"({int(peak) / 2**20:.0f} so far) and {pids} processes"
    )


def _network(project: Project, services: Sequence[str], outside: str | None) -> str:
    for service in services:
        routes = project.inside(service, "cat", "/proc/net/route").splitlines()[1:]
        leaves = any(line.split()[1] == "00000000" for line in routes)
        if leaves != (service == "api"):
            raise Failed(f"{service} has {'a' if leaves else 'no'} route to the outside")
        published = [
            ports for ports in (project.inspect(service)["NetworkSettings"].get("Ports") or {}).values() if ports
        ]
        if bool(published) != (service == "api"):
            raise Failed(f"ports of {service} that are published: {published}")
    for service, port in _SERVERS.items():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            raise Failed(f"something answers at port {port} of this host, where {service} must not be published")
        for ours in OURS:
            project.inside(ours, "python", "-c", _REACHES.format(host=service, port=port))
    if outside is not None:
        with socket.create_server((outside, 0)) as server:
            words = ["python", "-c", _REACHES.format(host=outside, port=server.getsockname()[1])]
            project.inside("api", *words)  # so that a refusal of the others means something
            for ours in set(OURS) - {"api"}:
                with contextlib.suppress(Failed):
                    project.inside(ours, *words)
                    raise SystemExit(f"{ours} reached {outside}, which is outside")
    return "only the front end has a way out, and only its port is published"


def _database(project: Project) -> str:
    for service in OURS:
        told = project.inside(service, "python", "-c", _ROLE).split()
        if told != ["adhop_app", "False", "False", "False", "0"]:
            raise Failed(
                f"{service} is this role of PostgreSQL's, with these rights, and owns so many relations: {told}"
            )
    return "the role of all four in PostgreSQL is no superuser and owns nothing"


def _passwords(project: Project, services: Sequence[str]) -> str:
    for service in services:
        shown = json.dumps(project.inspect(service))
        for name, holders in _PRIVATE.items():
            if SETTINGS[name] in shown and service not in holders:
                raise Failed(f"{service} is given {name}")
    image = project.inspect("api")["Image"]
    layers = project.ask("history", "--no-trunc", image) + project.ask("inspect", "--type", "image", image)
    held = [name for name in SETTINGS if name.endswith("PASSWORD") and SETTINGS[name] in layers]
    if held:
        raise Failed(f"the image holds {', '.join(held)}")
    return "no container is given a password that isn't its own, and the image holds none"
