"""What files of a job are called."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from api.jobs.file_names import stem

JOB = UUID("4fe0a2bc-1111-4222-8333-444455556666")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CO on Pt (1 1 1)", "CO-on-Pt-1-1-1-4fe0a2bc"),
        ("../../etc/passwd", "etc-passwd-4fe0a2bc"),
        ('a "quoted"\r\nname; filename=x', "a-quoted-name-filename-x-4fe0a2bc"),
        ("吸着", "4fe0a2bc"),
        (".", "4fe0a2bc"),
        ("x" * 500, "x" * 48 + "-4fe0a2bc"),
    ],
)
def test_a_name_is_told_in_characters_that_every_file_system_takes(name: str, expected: str):
    assert stem(name, JOB) == expected


@given(some.text(max_size=300))
def test_no_name_leaves_its_folder_or_its_header(name: str):
    assert re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9.-]{0,47}-)?4fe0a2bc", stem(name, JOB))
