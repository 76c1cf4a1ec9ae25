"""`python3 tests/gpu/wheels.py FOLDER`, by a Python that has pip: the wheels that a bare machine with torch lacks, in
the versions that requirements/ pins, without what the proof doesn't use. tests/gpu/run.py reads them from FOLDER; together they stay
below 60 MB.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_MB = 60.0
NAMES = (
    "annotated-types",
    "ase",
    "bibtexparser",
    "braceexpand",
    "chgnet",
    "fairchem-core",
    "lmdb",
    "markdown-it-py",
    "matscipy",
    "mdurl",
    "monty",
    "orjson",
    "palettable",
    "pydantic",
    "pydantic-core",
    "pygments",
    "pymatgen",
    "pymatgen-core",
    "rich",
    "ruamel-yaml",
    "sevenn",
    "spglib",
    "submitit",
    "tabulate",
    "typing-inspection",
    "uncertainties",
)
"""What the members' packages import, beside torch, torch-geometric, e3nn, numpy, scipy, pandas, matplotlib, numba, scikit-learn,
lxml, tensorboard, pyyaml, pytest and nvidia-ml-py."""
LEFT_OUT = (
    "chgnet/pretrained/0.2.0/*",
    "chgnet/pretrained/r2scan/*",
    "sevenn/pretrained_potentials/SevenNet_0__22*",
    "sevenn/pretrained_potentials/SevenNet_l3i5/*",
    "sevenn/pretrained_potentials/SevenNet_MF_0/*",
    "ase/test/*",
    "ase/gui/po/*",
    "*/tests/*",
    "*/cygraph.c",
)


def main() -> None:
    """Entry point."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        if not list(folder.glob(f"{name.replace('-', '_')}-*.whl")):
            _download(pinned(name), folder)
    for wheel in folder.glob("*.whl"):
        _trim(wheel)
    size = sum(wheel.stat().st_size for wheel in folder.glob("*.whl")) / 1e6
    sys.stdout.write(f"{len(list(folder.glob('*.whl')))} wheels in {folder}, {size:.1f} MB\n")
    if size > MOST_MB:
        raise SystemExit(f"that is more than {MOST_MB:g} MB: leave more out (LEFT_OUT in {__file__})")


def pinned(name: str) -> str:
    """name==version, as requirements/potentials.txt has it; the name alone where it isn't there."""
    found = re.search(
        rf"^{re.escape(name)}==[^\s;\\]+", (ROOT / "requirements/potentials.txt").read_text(), re.MULTILINE
    )
    return found[0] if found else name


def _download(requirement: str, folder: Path) -> None:
    platforms = [f"--platform=manylinux{tag}_x86_64" for tag in ("_2_28", "_2_27", "_2_24", "_2_17", "2014", "1")]
    words = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--python-version=3.12",
        "--implementation=cp",
    ]
    done = subprocess.run([*words, "--only-binary=:all:", *platforms, "-d", str(folder), requirement], check=False)
    if done.returncode:  # a few are sources only, of plain Python
        words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), requirement]
        subprocess.run(words, check=True)


def _trim(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as whole:
        kept = [one for one in whole.infolist() if not any(fnmatch(one.filename, pattern) for pattern in LEFT_OUT)]
        if len(kept) == len(whole.infolist()):
            return
        smaller = wheel.with_suffix(".smaller")
        with zipfile.ZipFile(smaller, "w", zipfile.ZIP_DEFLATED) as made:
            for one in kept:
                made.writestr(one, whole.read(one))
    smaller.replace(wheel)


if __name__ == "__main__":
    main()
