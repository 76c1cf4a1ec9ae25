"""Podman where no Docker engine is: in namespaces of its own, with all that it keeps in one folder, so that nothing of it stays.

The drill runs twice in a process tree with private mounts, process ids, /run and /dev/shm: once to build, with this machine's
network, and once to run, in a network of its own, where bridges, firewall rules and the switch for forwarding touch nobody else's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.child import spawn

PACKAGES = {
    "podman": "podman",
    "crun": "crun",
    "catatonit": "catatonit",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "ip": "iproute2",
    "unshare": "util-linux",
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
}
"""Programs that are needed, and Debian's packages of them."""
OUTSIDE = "192.0.2.1"
"""An address beyond the containers' networks (RFC 5737: nobody's), which the drill gives to itself."""
_CACHE = "/var/lib/containers"
_HYBRID = Path("/sys/fs/cgroup/unified")
_CONFIGURATION = """\
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc=32768:32768"]
cgroups = "enabled"
init_path = "{init}"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
tmp_dir = "{folder}/libpod"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""
_STORAGE = '[storage]\ndriver = "overlay"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
_REGISTRIES = 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n'


def missing() -> list[str]:
    """Debian's packages that this machine lacks."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return sorted(package for program, package in PACKAGES.items() if shutil.which(program, path=path) is None)


def configure(folder: Path) -> dict[str, str]:
    """Podman's files in this folder; returns the environment that makes it read them."""
    values = {
        "folder": folder,
        "files": os.popen("ulimit -Hn").read().strip().replace("unlimited", "1048576"),
        "init": shutil.which("catatonit"),
    }
    texts = {"containers": _CONFIGURATION, "storage": _STORAGE, "registries": _REGISTRIES}
    for name, text in texts.items():
        (folder / f"{name}.conf").write_text(text.format(**values))
    (folder / "tmp").mkdir(exist_ok=True)
    return {
        **os.environ,
        "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
        "TMPDIR": str(folder / "tmp"),
        "DOCKER_HOST": f"unix://{folder}/podman.sock",
        "DOCKER_BUILDKIT": "0",
        "DOCKER_CONFIG": str(folder / "docker"),
    }


def run_apart(words: Sequence[str], *, network: bool) -> int:
    """Run this program again with these words, in namespaces that end with it; network: with this machine's network."""
    apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    apart += [] if network else ["--net"]
    there = os.path.isdir(_CACHE)
    os.makedirs(_CACHE, exist_ok=True)  # for `settle` to mount something else on it
    child = subprocess.Popen([*apart, "--", "catatonit", "--", sys.executable, "-m", "tests.compose", *words])
    try:
        return child.wait()
    finally:
        child.kill()  # and with it all that runs there
        child.wait()
        if not there:
            os.rmdir(_CACHE)


def settle(*, network: bool) -> None:
    """The first thing in the new namespaces: what podman would leave in shared places goes to private ones."""
    for place in ("/run", "/dev/shm", _CACHE):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", place], check=True)
    if os.path.ismount(_HYBRID):
        subprocess.run(["umount", str(_HYBRID)], check=True)  # crun takes one kind of control groups or the other
    if not network:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "address", "add", f"{OUTSIDE}/32", "dev", "lo"], check=True)


@contextlib.contextmanager
def service(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """Podman's service, which Docker Compose talks to."""
    command = ["podman", "system", "service", "--time=0", f"unix://{folder}/podman.sock"]
    child = spawn("podman", command, log=folder / "podman.log", env=environment)
    try:
        until = time.monotonic() + 30
        while not (folder / "podman.sock").exists():
            if not child.running or time.monotonic() > until:
                raise SystemExit(f"podman's service does not start:\n{child.tail()}")
            time.sleep(0.1)
        yield
    finally:
        child.stop(grace_s=10)


@contextlib.contextmanager
def health_checks(environment: dict[str, str]) -> Iterator[None]:
    """Podman leaves its health checks to systemd; where that isn't, they are run here."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(2):
            for container in _podman(environment, "ps", "--quiet", "--filter", "status=running").split():
                _podman(environment, "healthcheck", "run", container)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _podman(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(["podman", *words], env=environment, capture_output=True, text=True, check=False)
    return done.stdout


def forget_groups() -> None:
    """Remove the control groups that containers left, which are empty now."""
    for parent in [*Path("/sys/fs/cgroup").glob("*/libpod_parent"), Path("/sys/fs/cgroup/libpod_parent")]:
        for group, _, _ in os.walk(parent, topdown=False):
            with contextlib.suppress(OSError):
                Path(group).rmdir()


def traces(folder: Path) -> dict[str, str]:
    """What a run could leave behind on this machine, as it is now."""
    rules = [
        subprocess.run([tool], capture_output=True, text=True, check=False).stdout
        for tool in ("iptables-save", "ip6tables-save")
    ]
    chains = [line for text in rules for line in text.splitlines() if line.startswith((":NETAVARK", "-A"))]
    commands = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    ours = (str(folder), "containers", "libpod", "netns", "cgroup")  # others mount and unmount meanwhile
    return {
        "mounts": "\n".join(line for line in mounts if any(word in line for word in ours)),
        "firewall rules": "\n".join(chains),
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        "bridges": "\n".join(sorted(path.name for path in Path("/sys/class/net").iterdir())),
        "processes": "\n".join(
            sorted(line.decode(errors="replace") for line in commands if str(folder).encode() in line)
        ),
        "control groups": "\n".join(map(str, Path("/sys/fs/cgroup").rglob("libpod*"))),
        "shared memory": "\n".join(sorted(map(str, Path("/dev/shm").glob("libpod*")))),
        "folders": "\n".join(
            str(path)
            for path in (folder, Path("/var/lib/containers"), Path("/run/containers"), Path("/run/libpod"))
            if path.exists()
        ),
    }
