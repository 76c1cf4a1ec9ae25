"""Names of users: what may be one, and what is said of the rest."""

from __future__ import annotations

import pytest

from shared.errors import InvalidInput
from shared.user_names import LONGEST, user_name


@pytest.mark.parametrize("name", ["a", "anna.b@lab.example", "Jörg Müller", "王芳", "o'neil [group 2]", "x" * LONGEST])
def test_a_name_that_can_be_read_is_taken_as_it_is(name: str) -> None:
    assert user_name(name) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "needs a name"),
        (" ", "needs a name"),
        ("\t\n", "needs a name"),
        ("\u3000", "needs a name"),
        (" anna", "begins or ends"),
        ("anna\n", "begins or ends"),
        ("an\nna", "U\\+000A"),
        ("\x1b[31mroot", "U\\+001B"),
        ("an\x00na", "U\\+0000"),
        ("an\u202ena", "U\\+202E"),  # turns the text that follows around
        ("an\u200bna", "U\\+200B"),  # nobody sees it, so two names would look like one
        ("an\ud800na", "U\\+D800"),
        ("x" * (LONGEST + 1), "at most 100"),
    ],
)
def test_any_other_is_refused_with_what_to_change(name: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        user_name(name)
    assert str(refused.value).isprintable(), "the message itself may be shown on a terminal"
    assert refused.value.field == "name"
