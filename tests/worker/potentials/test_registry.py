"""The registry: names, refusals, and nothing heavy before it is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import InvalidInput
from shared.settings import Settings
from worker.potentials import registry

ROOT = Path(__file__).resolve().parents[3]


def test_unknown_member_is_refused_with_the_known_names():
    with pytest.raises(InvalidInput, match=r"'chgnet'; known are emt, chgnet-0.3.0, ") as refusal:
        registry.load("chgnet")
    assert refusal.value.field == "members"


@pytest.mark.parametrize("setting", ["default_search_members", "default_score_members"])
def test_default_members_exist(setting):
    defaults = Settings.model_fields[setting].default
    assert defaults
    assert set(defaults) <= set(registry.names())


def test_loading_emt_imports_no_torch():
    script = "import sys; from worker.potentials import registry; registry.load('emt'); print('torch' in sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert finished.stdout.strip() == "False"
    assert finished.stderr == ""
