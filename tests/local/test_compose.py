"""The Compose file: valid, the same commands as the local stack, no variable that nobody reads."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import check_jsonschema
import jsonschema
import pytest
import redis
import yaml
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from local import processes, valkey
from local.ports import free_port
from shared.settings import Settings
from worker.lifecycle import supervisor

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
GPU = OURS["gpu"]
FIELDS = {f"ADHOP_{name.upper()}": field for name, field in Settings.model_fields.items()}


def test_the_file_fits_the_compose_specification():
    folder = Path(check_jsonschema.__file__).parent
    schema = json.loads((folder / "builtin_schemas" / "vendor" / "compose-spec.json").read_text())
    jsonschema.validate(COMPOSE, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"services": {"api": {"imagine": "x"}}}, schema)


def test_every_role_of_the_local_stack_has_a_service_with_the_same_command():
    expected = {
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


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_services_start_again_and_are_watched(name):
    service = SERVICES[name]
    if name == "migrate":
        assert service["restart"].startswith("on-failure")
        return
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"]
    assert service["stop_grace_period"]
    assert service["logging"]["options"]["max-size"]


def test_the_gpu_workers_see_every_device_and_read_models_only():
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
        if name == "migrate":
            assert conditions == {"postgres": "service_healthy"}
        else:
            assert conditions == {"migrate": "service_completed_successfully", "broker": "service_healthy"}


def test_postgres_is_asked_over_tcp_for_only_there_the_final_server_answers():
    words = SERVICES["postgres"]["healthcheck"]["test"]
    assert words[1] == "pg_isready"
    assert words[words.index("-h") + 1] == "127.0.0.1"


def test_the_celery_worker_is_asked_by_its_own_name():
    command, check = OURS["cpu"]["command"], OURS["cpu"]["healthcheck"]["test"][-1]
    assert command[command.index("-n") + 1] == "cpu@%h"
    assert " -d cpu@$$HOSTNAME " in check


def test_the_workers_supervisor_has_time_to_stop_them():
    assert float(GPU["stop_grace_period"].removesuffix("s")) > supervisor.GRACE_S


def test_a_health_check_imports_neither_torch_nor_a_model_package():
    heavy = "{'torch', 'chgnet', 'sevenn', 'fairchem.core'} & set(sys.modules)"
    script = f"import sys, worker.app, worker.dispatcher, worker.__main__; assert not {heavy}, {heavy}"
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


def test_every_variable_of_the_file_stands_in_the_example():
    example = (ROOT / ".env.example").read_text()
    for name in sorted(set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", TEXT))):
        assert re.search(rf"^#?{name}=", example, re.MULTILINE), name
    for name in re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE):
        assert f"${{{name}" in TEXT, name
    for name in ("POSTGRES_PASSWORD", "BROKER_PASSWORD"):
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
