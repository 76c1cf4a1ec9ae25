"""Settings that can't be used are named in one line that shows no value, for a value may be a password."""

from __future__ import annotations

import pytest

from shared.errors import Misconfigured
from shared.secrets import masked
from shared.settings import Settings, settings

GOOD = {"ADHOP_DATABASE_URL": "postgresql://adhop:first-word@db:5432/adhop", "ADHOP_BROKER_URL": "redis://:other@b/0"}


def read(monkeypatch: pytest.MonkeyPatch, **variables: str | None) -> Settings:
    for name, value in (GOOD | variables).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    settings.cache_clear()
    try:
        return settings()
    finally:
        settings.cache_clear()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ADHOP_DATABASE_URL": None}, "ADHOP_DATABASE_URL: it is not set, and has no default"),
        ({"ADHOP_DATABASE_URL": "first-word"}, "ADHOP_DATABASE_URL: it must read postgresql://user:password@host"),
        ({"ADHOP_DATABASE_URL": "mysql://a:first-word@db/x"}, "ADHOP_DATABASE_URL: it must read"),
        ({"ADHOP_DATABASE_URL": "postgresql://a:first/word@db/x"}, "%XX for each of"),
        ({"ADHOP_DATABASE_URL": "postgresql://a:first#word@db/x"}, "%XX for each of"),
        ({"ADHOP_DATABASE_URL": "postgresql://a:first@word@db/x"}, "%XX for each of"),
        ({"ADHOP_BROKER_URL": "redis://:other@b:port/0"}, "ADHOP_BROKER_URL: it must read redis://"),
        ({"ADHOP_LEASE_S": "other"}, "ADHOP_LEASE_S: it should be a valid number"),
        ({"ADHOP_LEASE_S": "0", "ADHOP_PORT": "other"}, "ADHOP_LEASE_S: it should be greater than 0.5; ADHOP_PORT: "),
    ],
)
def test_what_is_wrong_is_said_and_no_value_shown(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str | None], said: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        read(monkeypatch, **variables)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not any(word in str(refused.value) for word in ("first", "other"))
    assert refused.value.__cause__ is None, "a traceback would show pydantic's error"


@pytest.mark.parametrize(
    "url", ["postgresql://a:b%40c@db/x", "postgresql:///x?host=/run/postgresql", "postgresql://db"]
)
def test_a_url_that_can_be_used_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert read(monkeypatch, ADHOP_DATABASE_URL=url).database_url.get_secret_value() == url


def test_a_password_that_was_read_is_shown_in_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    read(monkeypatch, ADHOP_DATABASE_URL="postgresql://a:my%2Fpass%3Fword@db/x")
    assert masked("FATAL: my/pass?word, my%2Fpass%3Fword") == "FATAL: ***, ***"


def test_no_more_default_members_than_a_job_may_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job of eleven could be submitted, and not be chosen from."""
    names = [f"m{number}" for number in range(11)]
    assert len(read(monkeypatch, ADHOP_DEFAULT_SCORE_MEMBERS=",".join(names[:10])).default_score_members) == 10
    with pytest.raises(Misconfigured, match=r"ADHOP_DEFAULT_SCORE_MEMBERS: .*at most 10 items"):
        read(monkeypatch, ADHOP_DEFAULT_SCORE_MEMBERS=",".join(names))
