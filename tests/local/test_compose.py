"""The Compose file: valid, the same commands as the local stack, no variable that nobody reads."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from socket import gethostname
from typing import Any
from urllib.parse import urlsplit

import check_jsonschema
import jsonschema
import pytest
import redis
import yaml
from celery.utils.nodenames import host_format
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from local import processes, valkey
from local.ports import free_port
from local.postgres import Postgres
from shared.database import roles
from shared.settings import Settings
from worker.lifecycle import answering, supervisor

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
GPU = OURS["gpu"]
ONCE = {"roles", "migrate"}
"""Services that do something and end."""
LASTING = OURS.keys() - ONCE
OF_GPU_WORKERS = {
    "ADHOP_MEMBERS",
    "ADHOP_DEVICES",
    "ADHOP_CPU_WORKERS",
    "ADHOP_MIN_FREE_GIB",
    "ADHOP_MEMBERS_MEMORY_GIB",
    "ADHOP_MODELS_FILE",
}
FIELDS = {f"ADHOP_{name.upper()}": field for name, field in Settings.model_fields.items()}


def test_the_file_fits_the_compose_specification():
    folder = Path(check_jsonschema.__file__).parent
    schema = json.loads((folder / "builtin_schemas" / "vendor" / "compose-spec.json").read_text())
    jsonschema.validate(COMPOSE, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"services": {"api": {"imagine": "x"}}}, schema)


def test_every_role_of_the_local_stack_has_a_service_with_the_same_command():
    expected = {
        "roles": processes.ROLES.command,
        "migrate": processes.MIGRATE.command,
        "api": processes.API.command,
        "dispatcher": processes.DISPATCHER.command,
        "cpu": processes.CPU.command,
    }
    expected["gpu"] = processes.UP.command
    assert {name: tuple(service["command"]) for name, service in OURS.items()} == expected


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_program_exists_in_the_environment(name):
    program = OURS[name]["command"][0]
    assert shutil.which(program, path=str(Path(sys.executable).parent))


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_is_one_that_settings_know_and_the_required_ones_are_there(name):
    given = {key for key in OURS[name]["environment"] if key.startswith("ADHOP_")}
    assert given <= FIELDS.keys()
    assert {key for key, field in FIELDS.items() if field.is_required()} <= given


def test_every_setting_of_the_administrators_reaches_the_processes_that_read_it():
    decided = {"ADHOP_HOST", "ADHOP_PORT", "ADHOP_DEVICE"}  # by the file's ports, and by the supervisor of the workers
    for name in LASTING - {"gpu"}:
        assert OURS[name]["environment"].keys() >= FIELDS.keys() - decided - OF_GPU_WORKERS, name
    assert GPU["environment"].keys() >= FIELDS.keys() - decided
    free = [key for key, value in COMPOSE["x-settings"].items() if value is None]
    assert "ADHOP_WALKERS_PER_WORKER" in free  # no value: that of .env, or the program's own default


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_services_start_again_and_are_watched(name):
    service = SERVICES[name]
    if name in ONCE:
        assert service["restart"].startswith("on-failure")
        return
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"]
    assert service["stop_grace_period"]
    assert service["logging"]["options"]["max-size"]


def test_the_gpu_workers_see_every_device_and_read_models_only():
    assert GPU["environment"]["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"
    (device,) = GPU["deploy"]["resources"]["reservations"]["devices"]
    assert (device["capabilities"], device["count"]) == (["gpu"], "all")
    (volume,) = GPU["volumes"]
    assert volume.endswith(":/models:ro")
    assert GPU["environment"]["ADHOP_MODELS_FILE"] == "/models/members.toml"


def test_only_the_front_end_is_published_and_only_on_loopback():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["api"]
    assert SERVICES["api"]["ports"] == ["${PUBLISH_ON:-127.0.0.1:8000}:8000"]


def test_nothing_starts_before_its_tables_and_the_broker_are_there():
    for name, service in OURS.items():
        conditions = {key: value["condition"] for key, value in service["depends_on"].items()}
        if name == "roles":
            assert conditions == {"postgres": "service_healthy"}
        elif name == "migrate":
            assert conditions == {"roles": "service_completed_successfully"}
        else:
            assert conditions == {"migrate": "service_completed_successfully", "broker": "service_healthy"}


def test_postgres_is_asked_over_tcp_for_only_there_the_final_server_answers():
    words = SERVICES["postgres"]["healthcheck"]["test"]
    assert words[1] == "pg_isready"
    assert words[words.index("-h") + 1] == "127.0.0.1"


def test_the_celery_worker_is_asked_by_its_own_name():
    command, check = OURS["cpu"]["command"], OURS["cpu"]["healthcheck"]["test"]
    name = command[command.index("-n") + 1].removesuffix("@%h")
    assert check[-2:] == ["--name", name]
    assert answering.node(name) == f"{name}@{gethostname()}" == host_format(f"{name}@%h")


def test_no_word_of_a_health_check_can_be_split():
    """Podman joins the words of the list form with spaces and splits them again; $HOSTNAME is empty there."""
    for name, service in SERVICES.items():
        kind, *words = service.get("healthcheck", {}).get("test", ["CMD"])
        assert kind == "CMD-SHELL" or not [word for word in words if re.search(r"[\s;&$'\"]", word)], name


def test_the_workers_supervisor_has_time_to_stop_them():
    assert float(GPU["stop_grace_period"].removesuffix("s")) > supervisor.GRACE_S


def test_a_health_check_imports_neither_torch_nor_a_model_package():
    heavy = "{'torch', 'chgnet', 'sevenn', 'fairchem.core'} & set(sys.modules)"
    script = f"import sys, worker.app, worker.dispatcher, worker.__main__, api.__main__; assert not {heavy}, {heavy}"
    environment = {"ADHOP_DATABASE_URL": "postgresql://nowhere", "ADHOP_BROKER_URL": "redis://nowhere"}
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=True, timeout=120)


def test_the_file_with_the_passwords_is_kept_out_of_the_repository():
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_broker_keeps_its_data_wants_a_password_and_evicts_nothing():
    script = SERVICES["broker"]["command"][-1]
    for line in ("requirepass %s", "appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction"):
        assert line in script


def test_the_brokers_script_starts_a_server_that_does_so(tmp_path):
    port = free_port()
    script = SERVICES["broker"]["command"][-1].replace("$$", "$").replace("/tmp/valkey.conf", f"{tmp_path}/valkey.conf")
    script = script.replace("valkey-server", str(valkey._program())).replace(
        "--dir /data", f"--dir {tmp_path} --port {port}"
    )
    server = subprocess.Popen(["sh", "-c", script], env={"BROKER_PASSWORD": "secret"}, stdout=subprocess.DEVNULL)
    try:
        client = redis.Redis(port=port, password="secret", retry=Retry(ConstantBackoff(0.1), 50))
        kept = {
            name: client.config_get(name)[name] for name in ("appendonly", "appendfsync", "maxmemory-policy", "save")
        }
        assert kept == {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": ""}
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
    finally:
        server.terminate()
        server.wait(10)


PASSWORDS = {
    "POSTGRES_PASSWORD": {"postgres", "roles"},
    "DATABASE_OWNER_PASSWORD": {"roles", "migrate"},
    "DATABASE_APP_PASSWORD": {"roles", *LASTING},
    "BROKER_PASSWORD": {"broker", *LASTING},
}
"""Services that are given them."""


def test_a_password_is_given_to_those_that_need_it():
    for password, holders in PASSWORDS.items():
        found = {name for name, service in SERVICES.items() if password in json.dumps(service)}
        assert found == holders, password


def test_the_application_is_not_postgres_superuser():
    superuser = SERVICES["postgres"]["environment"]["POSTGRES_USER"]
    urls = {
        name: re.sub(r"\$\{.*?\}", "secret", service["environment"]["ADHOP_DATABASE_URL"])
        for name, service in OURS.items()
    }
    users = {name: urlsplit(url).username for name, url in urls.items()}
    assert users == {"roles": superuser, "migrate": roles.OWNER, **dict.fromkeys(LASTING, roles.APP)}
    assert len({superuser, roles.OWNER, roles.APP}) == 3


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_is_confined(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["tmpfs"][0].split(":")[0] == "/tmp"
    for limit in ("mem_limit", "pids_limit"):
        assert re.fullmatch(r"\$\{[A-Z_]+:-\d+g?m?\}", service[limit]), limit  # an administrator may set another
    user = service.get("user") or re.findall(r"^USER (\w+)", (ROOT / "Dockerfile.gpu").read_text(), re.MULTILINE)[-1]
    assert user not in ("root", "0")


def test_only_the_front_end_has_a_way_out():
    assert COMPOSE["networks"] == {"front": None, "back": {"internal": True}}
    assert {name: service["networks"] for name, service in SERVICES.items()} == {
        **{name: ["back"] for name in SERVICES},
        "api": ["front", "back"],
    }


def test_marks_of_the_processes_lie_where_a_container_may_write():
    for service in OURS.values():
        assert service["environment"].get("ADHOP_RUN_DIR", "/tmp/adhop").startswith("/tmp/")


def test_no_image_floats_and_the_servers_are_those_that_the_tests_run_on(postgres: Postgres):
    images = {name: str(service["image"]) for name, service in SERVICES.items()}
    server = subprocess.run(
        [postgres._programs() / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    assert images["postgres"] == f"${{POSTGRES_IMAGE:-postgres:{server.stdout.split()[-1]}}}"
    broker = subprocess.run([valkey._program(), "--version"], capture_output=True, text=True, check=True)
    (version,) = re.findall(r"v=([\d.]+)", broker.stdout)
    assert images["broker"] == f"${{BROKER_IMAGE:-valkey/valkey:{version}}}"
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "Dockerfile.gpu").read_text(), re.MULTILINE)
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", base)
    sources = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile.gpu").read_text(), re.MULTILINE)
    assert set(sources) == {"${PYTHON_IMAGE}"}


@pytest.mark.parametrize("name", ["base", "potentials", "uma", "mace", "dev", "uv", "node"])
def test_every_pinned_package_has_the_hashes_of_its_files_and_names_no_host(name):
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all(re.match(r"[\w.-]+==\S+", entry) and " --hash=sha256:" in entry for entry in entries)
    assert "//" not in text


def test_packages_are_installed_by_their_hashes_alone():
    for name in ("Dockerfile.gpu", "Makefile"):
        text = re.sub(r"\\\n", " ", (ROOT / name).read_text())
        installs = [
            line for line in text.splitlines() if re.search(r"pip (sync|install) ", line) and " -e " not in line
        ]
        assert len(installs) >= 2, name
        for line in installs:
            for command in re.findall(r"pip (?:sync|install) [^&]*", line):
                assert "--require-hashes" in command, command


def test_every_variable_of_the_file_stands_in_the_example():
    example = (ROOT / ".env.example").read_text()
    for name in sorted(set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", TEXT))):
        assert re.search(rf"^#?{name}=", example, re.MULTILINE), name
    handed_on = COMPOSE["x-settings"].keys() | GPU["environment"].keys()
    for name in re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE):
        assert f"${{{name}" in TEXT or name in handed_on, name
    for name in PASSWORDS:
        assert f"${{{name}:?" in TEXT  # refuses to start without
        assert re.search(rf"^{name}=$", example, re.MULTILINE)


def test_the_image_holds_what_the_commands_need_and_no_secret():
    text = (ROOT / "Dockerfile.gpu").read_text()
    copied = [line.split()[1] for line in text.splitlines() if line.startswith("COPY") and "--from" not in line]
    allowed = (ROOT / ".dockerignore").read_text()
    for source in copied:
        assert (ROOT / source).exists()
        assert f"!{source}" in allowed
    assert {"api/", "worker/", "services/", "shared/", "alembic.ini"} <= set(copied)
    assert allowed.splitlines()[1] == "*"
    assert re.search(r"^USER (?!root)", text, re.MULTILINE)
    default = re.search(r"^ARG REQUIREMENTS=(\w+)", text, re.MULTILINE)
    assert default
    assert (ROOT / "requirements" / f"{default.group(1)}.txt").exists()
