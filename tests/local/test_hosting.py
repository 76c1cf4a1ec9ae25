"""What the environment asks the service of this machine for."""

import pytest

from local.hosting import MEMBERS, asked, workers_here
from local.stack import Stack
from shared.child import StartError

GIB = 1024**3


@pytest.mark.parametrize(
    ("cores", "memory", "workers"),
    [(1, 64 * GIB, 1), (2, 64 * GIB, 2), (64, 512 * GIB, 2), (8, 6 * GIB, 2), (8, 6 * GIB - 1, 1), (8, GIB, 1)],
)
def test_workers_are_one_a_core_with_three_gib_each_and_never_more_than_two_or_none(cores, memory, workers):
    assert workers_here(cores, memory) == workers


def test_without_a_word_the_usual_members_are_hosted_with_the_usual_settings():
    found = asked({"PATH": "/bin", "ADHOP_URL": "http://x", "ADHOP_KEY": "secret"})
    assert (found.members, found.settings, found.named, found.unknown) == (MEMBERS, {}, False, ())
    assert found.workers == workers_here()


def test_named_members_are_hosted_and_become_the_defaults_of_jobs():
    found = asked({"ADHOP_MEMBERS": "emt", "ADHOP_CPU_WORKERS": "3", "ADHOP_LEASE_S": "4"})
    assert (found.members, found.workers, found.named) == (("emt",), 3, True)
    assert found.settings == {
        "ADHOP_LEASE_S": "4",
        "ADHOP_DEFAULT_SEARCH_MEMBERS": "emt",
        "ADHOP_DEFAULT_SCORE_MEMBERS": "emt",
    }


def test_of_the_usual_members_those_search_that_usually_do():
    found = asked({"ADHOP_MEMBERS": "sevennet-l3i5, sevennet-mf-0-pbe"}).settings
    assert found["ADHOP_DEFAULT_SEARCH_MEMBERS"] == "sevennet-mf-0-pbe"
    assert found["ADHOP_DEFAULT_SCORE_MEMBERS"] == "sevennet-l3i5,sevennet-mf-0-pbe"


def test_defaults_that_are_set_stay():
    found = asked({"ADHOP_MEMBERS": "emt,chgnet-0.3.0", "ADHOP_DEFAULT_SEARCH_MEMBERS": "emt"}).settings
    assert found["ADHOP_DEFAULT_SEARCH_MEMBERS"] == "emt"
    assert found["ADHOP_DEFAULT_SCORE_MEMBERS"] == "emt,chgnet-0.3.0"


def test_what_the_stack_decides_itself_and_what_is_of_clients_is_not_passed_on():
    given = {
        "ADHOP_DATABASE_URL": "postgresql://x",
        "ADHOP_BROKER_URL": "redis://x",
        "ADHOP_PORT": "8123",
        "ADHOP_KEY": "k",
    }
    found = asked(given)
    assert (found.settings, found.unknown) == ({}, ())


def test_a_variable_that_is_no_setting_is_named():
    assert asked({"ADHOP_MEMBRES": "emt"}).unknown == ("ADHOP_MEMBRES",)


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"ADHOP_CPU_WORKERS": "many"}, "ADHOP_CPU_WORKERS='many': .*valid integer"),
        ({"ADHOP_LEASE_S": "0"}, "ADHOP_LEASE_S='0': .*greater than 0.5"),
        ({"ADHOP_DEFAULT_SCORE_MEMBERS": "emt"}, "ADHOP_DEFAULT_SCORE_MEMBERS names emt, and no worker would host it"),
        (
            {"ADHOP_MEMBERS": "emt", "ADHOP_DEFAULT_SEARCH_MEMBERS": "chgnet-0.3.0"},
            "names chgnet-0.3.0.*ADHOP_MEMBERS is emt",
        ),
    ],
)
def test_what_could_not_work_is_refused_before_anything_starts(variables, why):
    with pytest.raises(StartError, match=why):
        asked(variables)


@pytest.mark.parametrize(
    ("host", "where"),
    [(None, "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", "127.0.0.1"), ("10.0.0.7", "10.0.0.7")],
)
def test_the_front_end_is_looked_for_where_it_listens(tmp_path, host, where):
    stack = Stack(tmp_path, {} if host is None else {"ADHOP_HOST": host})
    assert stack.url == f"http://{where}:{stack.port}"
