"""`adhop admin`, `me`, `keys`, `share`, `delete` and `audit` as a person types them, against the real application."""

import os
import stat

import pytest
from adhop.cli import app
from typer.testing import CliRunner

from shared.database.repositories.users import Role
from tests.api.structures import BULK_JOB

NAME = "Bob [red]bold[/red]"


@pytest.fixture
def adhop(service, tmp_path, monkeypatch):
    """Run a command as the owner of a key file; the administrator's unless another is named."""
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "boss").write_text(service.key(Role.ADMIN))
    os.chmod(tmp_path / "boss", 0o600)

    def run(*words: str, who: str = "boss", fails: bool = False) -> str:
        answer = CliRunner().invoke(app, ["--url", service.url, "--key-file", str(tmp_path / who), *words])
        assert (answer.exit_code != 0) == fails, answer.output + str(answer.exception)
        return str(answer.exception) if fails else answer.output

    return run


def test_an_administrators_commands_and_a_users_own(service, adhop, tmp_path):
    file = tmp_path / "bob"
    assert "no terminal" in adhop("admin", "create-user", NAME, fails=True)
    adhop("admin", "create-user", NAME, "--to", str(file), "--gib", "1", "--label", "laptop")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "is there already" in adhop("admin", "create-user", "x", "--to", str(file), fails=True)
    shown = adhop("admin", "users")
    assert NAME in shown  # its brackets are no markup
    assert "of 1.0 GiB*" in shown
    adhop("admin", "create-group", "surfaces")
    assert NAME in adhop("admin", "join", "surfaces", NAME)
    assert "groups: surfaces" in adhop("me", who="bob")
    with service.client() as client:
        client.headers["Authorization"] = f"Bearer {file.read_text().strip()}"
        job = client.post("/v1/jobs", json=BULK_JOB).json()["id"]
    assert "surfaces" in adhop("share", job, "--group", "surfaces", who="bob")
    assert "cancel it first" in adhop("delete", job, "--yes", who="bob", fails=True)
    adhop("cancel", job, who="bob")
    adhop("delete", job, "--yes", who="bob")
    prefix = file.read_text().split("_")[1]
    adhop("keys", "rotate", prefix, "--grace", "1", "--to", str(tmp_path / "new"), who="bob")
    assert "works until" in adhop("keys", "list", who="new")
    assert "of 5*" in adhop("admin", "limit", NAME, "--open-jobs", "5")
    assert "*" not in adhop("admin", "limit", NAME, "--reset").partition("the user's own limit")[0].rstrip("* \n")
    acts = adhop("audit", "--job", job)
    assert [word for word in acts.split() if word.startswith("job.")] == [
        "job.delete", "job.cancel", "job.share", "job.submit",
    ]  # fmt: skip
    assert "0 open jobs cancelled" in adhop("admin", "disable", NAME)
    assert "disabled" in adhop("me", who="new", fails=True)
    assert adhop("admin", "usage", "--csv").startswith(
        "month,user,device time (s),force calls,jobs,stored now (bytes)\n"
    )


def test_a_name_that_a_spreadsheet_would_compute_is_quoted():
    from adhop.account_views import usage_csv

    row = {"month": "2026-03", "user": "=1+1", "device_s": 1.5, "force_calls": 2, "jobs": 1, "stored_bytes": 10}
    assert usage_csv([row]).splitlines()[1] == "2026-03,'=1+1,1.5,2,1,10"
