"""`python -m local up | down | remove | status | page | demo | serve`: Adhop on this machine, without a container engine."""

from __future__ import annotations

import signal

# until all is imported, Ctrl-C just ends us: there is nothing to be stopped yet
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import subprocess
import time
from pathlib import Path
from typing import Annotated

import typer

from local import demo as demonstration
from local import hosting, service
from local.ownership import own_folder
from local.page import sign_in_link
from shared import private_files
from shared.child import StartError
from shared.command_line import ended

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)

Folder = Annotated[Path, typer.Option(help="Where the service keeps its data, kept between runs.")]
Port = Annotated[int | None, typer.Option(envvar="ADHOP_PORT", help="Port of the front end; chosen where not given.")]


@app.command()
def up(folder: Folder = service.FOLDER, port: Port = None) -> None:
    """Start the service and leave it running."""
    found = service.running(folder)
    if found is None:
        log = own_folder(folder) / "service.log"
        with private_files.opened(log, "wb") as output:
            server = subprocess.Popen(
                service.command(folder, port),
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                umask=0o077,
            )
        found = _wait_for(folder, server, log)
    elif (asked := hosting.asked()).named and list(asked.members) != found.members:
        print(
            f"it hosts {', '.join(found.members)} already: `make down`, then `make up`, to host {', '.join(asked.members)}"
        )
    print(f"Adhop is up at {found.url}")
    print(f"  export ADHOP_URL={found.url} ADHOP_KEY_FILE={found.key_file}")
    print(f"  logs in {found.logs}; `make down` stops it")
    _tell_page(found)


@app.command()
def page(folder: Folder = service.FOLDER) -> None:
    """The address of the page, with a sign-in link that works once."""
    found = service.running(folder)
    if found is None:
        raise StartError("nothing is running: `make up` starts the service")
    _tell_page(found)


def _tell_page(found: service.Running) -> None:
    print(
        f"the page, signed in (the link works once, within 15 minutes; `make page` prints another):\n  {sign_in_link(found)}"
    )


@app.command()
def down(folder: Folder = service.FOLDER) -> None:
    """Stop what `up` started."""
    found = service.running(folder)
    if found is None:
        print("nothing is running")
        return
    service.stop(found)
    print("stopped")


@app.command()
def remove(folder: Folder = service.FOLDER) -> None:
    """Stop what `up` started, and delete its data."""
    down(folder)
    service.remove(folder)


@app.command()
def status(folder: Folder = service.FOLDER) -> None:
    """Say what runs."""
    found = service.running(folder)
    if found is None:
        print("nothing is running")
        return
    print(f"up at {found.url} (pid {found.pid}, logs in {found.logs})")
    print(f"  members: {', '.join(found.members)}")
    for name, value in found.settings.items():
        print(f"  {name}={value}")


@app.command()
def serve(folder: Folder = service.FOLDER, port: Port = None) -> None:
    """Run the service in the foreground until it is interrupted."""
    service.serve(folder, port=port, tell=lambda line: print(line, flush=True))


@app.command()
def demo(
    folder: Folder = service.FOLDER,
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("demo-output"),
    keep: Annotated[bool, typer.Option(help="Leave the service up, as `up` does, and say where its page is.")] = False,
) -> None:
    """A real job from start to end: CO on Pt(111). Uses the service that is up, or one of its own that it stops again."""
    if keep:
        up(folder)
    demonstration.run(folder, output)
    if keep:
        page(folder)


def _wait_for(folder: Path, server: subprocess.Popen[bytes], log: Path) -> service.Running:
    """The service that was just started, once it is ready; shows what it waits for."""
    shown = 0
    while True:
        text = log.read_text()
        print(text[shown:], end="", flush=True)
        shown = len(text)
        found = service.running(folder)
        if found is not None:
            return found
        if server.poll() is not None:
            raise StartError(f"the service ended with status {server.returncode}; see {log}")
        time.sleep(0.2)


def main() -> None:
    """Entry point: expected trouble is one message, not a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    raise SystemExit(ended("adhop", app))


if __name__ == "__main__":
    main()
