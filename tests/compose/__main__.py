"""`make compose-test`: the Compose file on a Docker engine where one answers, else on podman in a corner of its own.

Exit status: 0 where all held, 1 where something didn't, 2 where this machine lacks what is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from local.stack import stop_signals
from tests.compose import drill, images, private
from tests.compose.compose import ROOT, Failed, Project
from tests.compose.drill import Diary

LOG = ROOT / ".adhop" / "compose-test.log"


def _arguments(argv: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m tests.compose", description="Run the Compose file.")
    parser.add_argument("--log", type=Path, default=LOG, help="file for the lines that are printed")
    parser.add_argument("--base", type=Path, help="archive of the base image; made where it is missing, and kept")
    parser.add_argument("--phase", choices=["build", "run"], help="for the program itself")
    parser.add_argument("--folder", type=Path, help="for the program itself")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status."""
    asked = _arguments(argv)
    diary = Diary(asked.log.absolute())
    if asked.phase:
        return _inside(asked, diary)
    asked.log.parent.mkdir(parents=True, exist_ok=True)
    asked.log.unlink(missing_ok=True)
    return _with_docker(diary) if _docker_answers() else _with_podman(asked, diary)


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = (["docker", "info"], ["docker", "compose", "version"])
    return not any(subprocess.run(words, capture_output=True, check=False).returncode for words in asked)


def _with_docker(diary: Diary) -> int:
    with tempfile.TemporaryDirectory(prefix="adhop-compose-") as folder:
        project = Project(("docker", "compose"), "docker", Path(folder), dict(os.environ))
        project.write_settings()
        try:
            diary.time("pull", lambda: project.run("pull", "postgres", "broker"))
            diary.time("build", lambda: project.run("build", "api", timeout_s=1800))
            return _drilled(project, diary, outside=None)
        except Failed as failed:
            diary.say(f"FAILED: {failed}")
            return 1


def _with_podman(asked: Namespace, diary: Diary) -> int:
    if os.geteuid() != 0:
        diary.say("no Docker engine answers, and podman's corner needs root: run `sudo make compose-test`")
        return 2
    lacking = private.missing()
    if lacking:
        diary.say(
            f"no Docker engine answers, and podman lacks: run `apt-get install -y --no-install-recommends {' '.join(lacking)}`"
        )
        return 2
    folder = Path(tempfile.mkdtemp(prefix="adhop-compose-", dir="/var/tmp"))
    before = private.traces(folder)
    words = ["--folder", str(folder), "--log", str(asked.log.absolute())]
    words += ["--base", str(asked.base.absolute())] if asked.base else []
    status = 1
    try:
        with stop_signals():
            status = private.run_apart([*words, "--phase", "build"], network=True)
            status = status or private.run_apart([*words, "--phase", "run"], network=False)
    except KeyboardInterrupt:
        diary.say("interrupted")
    finally:
        if (folder / "commands.log").exists():
            shutil.copy(folder / "commands.log", asked.log.with_suffix(".commands.log"))
        subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=False)
        private.forget_groups()
    after = private.traces(folder)
    left = [f"{name}:\n{after[name]}" for name in before if name != "folders" and after[name] != before[name]]
    left += (
        [f"folders: {after['folders']}"]
        if set(after["folders"].split()) - set(before["folders"].split()) - {str(folder)} or folder.exists()
        else []
    )
    for line in left:
        diary.say(f"FAILED: left behind: {line}")
    if not left:
        diary.say("nothing is left behind: no mount, rule, bridge, process, control group or folder")
    return status or int(bool(left))


def _inside(asked: Namespace, diary: Diary) -> int:
    """One half of it, in the namespaces."""
    folder: Path = asked.folder
    private.settle(network=asked.phase == "build")
    environment = private.configure(folder)
    project = Project((str(folder / "compose" / "compose" / "docker-compose"),), "podman", folder, environment)
    try:
        with private.service(folder, environment):
            if asked.phase == "build":
                _build(project, asked.base or folder / "base.tar", diary)
                return 0
            with private.health_checks(environment):
                return _drilled(project, diary, outside=private.OUTSIDE)
    except (Failed, subprocess.CalledProcessError) as failed:
        diary.say(f"FAILED: {failed}")
        return 1


def _build(project: Project, archive: Path, diary: Diary) -> None:
    diary.time("Docker Compose", lambda: images.compose_program(project.folder))
    diary.time("base image", lambda: images.base(archive, project.folder))
    diary.time("base image brought in", lambda: images.bring_in(archive, project.environment))
    project.write_settings()
    named = project.images()
    stand_ins = {name: named[name] for name in ("postgres", "broker")}
    diary.time("stand-ins", lambda: images.stand_ins(stand_ins, project.folder, project.environment))
    diary.time("our image", lambda: project.run("build", "api", timeout_s=1800))


def _drilled(project: Project, diary: Diary, *, outside: str | None) -> int:
    status = 0
    try:
        drill.run(project, diary, outside=outside)
    except Failed as failed:
        diary.say(f"FAILED: {failed}")
        for service in drill.LASTING:
            diary.say(f"{service}: {project.run('logs', '--no-color', '--tail', '15', service)}")
        status = 1
    finally:
        diary.time("down", lambda: drill.remove(project))
    return status


if __name__ == "__main__":
    sys.exit(main())
