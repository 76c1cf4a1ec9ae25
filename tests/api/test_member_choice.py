"""Which members a job uses, and how many walkers they make."""

import pytest

from api.members.choice import KnownMember, check_size, members_for
from shared.errors import InvalidInput, Unavailable
from shared.parameters import JobParameters

KNOWN = {name: KnownMember(name, frozenset({78}), "total") for name in ("a", "b", "c")}


def chosen(known=KNOWN, **ensemble):
    """Names of the members that search and score, where the server's defaults are a, and a with b; nobody refines."""
    parameters = JobParameters(ensemble=ensemble)
    search, refine, score = members_for(parameters, known, default_search=("a",), default_score=("a", "b"))
    assert refine == []
    return [member.name for member in search], [member.name for member in score]


def test_defaults_fill_in_what_is_not_asked_for():
    assert chosen() == (["a"], ["a", "b"])
    assert chosen(search_members=["c"]) == (["c"], ["a", "b"])
    assert chosen(score_members=["c", "a"]) == (["a"], ["c", "a"])


def test_a_member_named_twice_counts_once():
    assert chosen(search_members=["b", "a", "b"]) == (["b", "a"], ["a", "b"])


def test_members_refine_where_they_are_asked_to():
    parameters = JobParameters(ensemble={"refine_members": ["c", "b", "c"]})
    search, refine, _ = members_for(parameters, KNOWN, default_search=("a",), default_score=("b",))
    assert ([one.name for one in search], [one.name for one in refine]) == (["a"], ["c", "b"])
    with pytest.raises(InvalidInput, match="unknown member x") as refusal:
        members_for(
            JobParameters(ensemble={"refine_members": ["x"]}), KNOWN, default_search=("a",), default_score=("b",)
        )
    assert refusal.value.field == "parameters.ensemble.refine_members"


def test_an_unknown_member_is_the_users_mistake():
    with pytest.raises(InvalidInput, match="unknown members x, y; registered are a, b, c") as refusal:
        chosen(score_members=["x", "a", "y"])
    assert refusal.value.field == "parameters.ensemble.score_members"
    with pytest.raises(InvalidInput, match="no worker has registered any member yet"):
        chosen({}, search_members=["a"])


def test_a_default_that_is_not_there_is_the_servers_state():
    with pytest.raises(Unavailable, match="default member b yet"):
        chosen({"a": KNOWN["a"]})
    assert chosen({"a": KNOWN["a"]}, score_members=["a"]) == (["a"], ["a"])


def test_walkers_are_placements_times_search_members():
    parameters = JobParameters(placement={"count": 5})
    check_size(parameters, 3, max_walkers=15)
    with pytest.raises(InvalidInput, match="5 placements with 3 search members make 15 walkers; at most 14") as refusal:
        check_size(parameters, 3, max_walkers=14)
    assert refusal.value.field == "parameters.placement.count"
