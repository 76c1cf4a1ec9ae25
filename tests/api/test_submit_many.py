"""Many jobs by the Python client and the command line, against the real front end; polls that name the answer they have."""

import sys
from uuid import UUID

import pytest
from adhop import Client, RequestRefused, batches, cli
from adhop.errors import AdhopError
from adhop.job import Job as ClientJob
from ase.io import write
from sqlalchemy import func, select, update

from shared.database.tables import Job, User
from tests.api.structures import slab

CO = {"bulk": "Pt", "miller": (1, 1, 1), "adsorbate": "*CO"}


@pytest.fixture
def user(service):
    """A client of a new user."""
    with Client(service.url, service.key()) as made:
        yield made


def test_each_gets_a_job_or_the_error_that_submit_would_have_raised(service, user, tmp_path):
    asked = [
        CO,
        CO | {"bulk": "Xx"},
        {"slab": slab(), "adsorbate": "*OH", "parameters": {"seed": 4}, "name": "a slab"},
        {"slab": tmp_path / "away.cif", "adsorbate": "*OH"},
        CO | {"parameters": {"seed": float("nan")}},
    ]
    made = user.submit_many(asked)
    assert [type(one) for one in made] == [ClientJob, RequestRefused, ClientJob, AdhopError, AdhopError]
    with pytest.raises(RequestRefused) as alone:
        user.submit(**asked[1])
    assert (str(made[1]), made[1].status, made[1].field) == (str(alone.value), 422, alone.value.field)
    assert made[2].state == "queued"
    assert (made[2].body["name"], made[2].body["parameters"]["seed"]) == ("a slab", 4)  # asked for where it is needed
    assert made[2].body == user.job(made[2].id).body


def test_many_go_in_several_requests_in_their_order(service, user, monkeypatch):
    monkeypatch.setattr(batches, "_MOST_JOBS", 7)
    sent = []
    ask = user.request
    monkeypatch.setattr(
        user, "request", lambda *words, **more: sent.append(len(more["json"]["jobs"])) or ask(*words, **more)
    )
    made = user.submit_many(CO | {"name": f"job {n}", "priority": 1000 if n % 5 == 0 else 0} for n in range(20))
    assert sent == [7, 7, 6]
    assert [isinstance(one, RequestRefused) for one in made] == [n % 5 == 0 for n in range(20)]
    assert [one.body["name"] for one in made if isinstance(one, ClientJob)] == [f"job {n}" for n in range(20) if n % 5]


@pytest.mark.parametrize(("name", "value"), [("_MOST_BYTES", 3000), ("_MOST_VALUES", 60)])
def test_a_request_stays_within_what_servers_read(service, user, monkeypatch, name, value):
    monkeypatch.setattr(batches, name, value)
    sent = []
    ask = user.request
    monkeypatch.setattr(user, "request", lambda *words, **more: sent.append(more["json"]) or ask(*words, **more))
    assert len(user.submit_many([CO] * 40)) == 40
    assert 1 < len(sent) < 40


def test_halves_are_sent_to_a_server_that_takes_less(make_database):
    from tests.api.conftest import ALPHA, BETA, closed_port, serving

    with serving(make_database(), f"redis://127.0.0.1:{closed_port()}/0", max_body_bytes=2000) as small:
        small.register(ALPHA, BETA)
        with Client(small.url, small.key()) as user:
            made = user.submit_many([CO] * 20 + [CO | {"name": "x" * 199, "slab": None, "parameters": {"seed": 1}}])
            assert all(isinstance(one, ClientJob) for one in made)
            large = user.submit_many([{"slab": slab().repeat((3, 3, 1)), "adsorbate": "*OH"}])
            assert isinstance(large[0], RequestRefused)
            assert large[0].status == 413


def test_an_unchanged_answer_is_not_read_again(service, user):
    job = user.submit(**CO)
    job.refresh()
    first = job.body
    assert job.refresh().body is first
    with service.opened.begin() as session:
        session.execute(update(Job).where(Job.id == UUID(job.id)).values(priority=7))
    assert job.refresh().body["priority"] == 7
    assert job.cancel().state == "cancelled"
    assert job.refresh().state == "cancelled"


@pytest.fixture
def adhop(service, monkeypatch, capsys):
    """Runs a command line; its exit status and output."""
    monkeypatch.setenv("ADHOP_URL", service.url)
    name = f"many-{id(capsys)}-{monkeypatch}"[-80:]
    monkeypatch.setenv("ADHOP_KEY", service.key(name=name))

    def run(*words: object) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["adhop", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), (said.out + said.err).strip().splitlines()

    def jobs() -> int:
        with service.opened() as session:
            return session.scalar(select(func.count()).select_from(Job).join(User).where(User.name == name))

    run.jobs = jobs
    return run


def test_a_table_has_a_job_in_each_line(service, adhop, tmp_path):
    write(tmp_path / "slab.cif", slab())
    table = tmp_path / "jobs.csv"
    table.write_text(
        "name;Bulk;slab;miller;adsorbate;hops;top\n"
        "first;Pt;;1,1,1;*CO;4;no\n"
        "second;;slab.cif;;*OH;;\n"
        "third;Xx;;111;*CO;;\n"
        "fourth;Pt;;111;;;\n"
        "fifth;Pt;;111;*CO;many;\n"
    )
    code, lines = adhop("submit-many", table, "--hops", 9, "--priority", 3, "--set", "seed=5")
    assert code == 1
    assert lines[-1] == "2 of 5 jobs queued"
    told = [line for line in lines if str(table) in line]
    assert [line.startswith("refused") for line in told] == [False, False, True, True, True]
    assert "Xx" in told[2]
    assert "column hops: 'many': give a whole number" in told[4]
    with service.opened() as session:
        first, second = (session.get_one(Job, UUID(line.split()[0])) for line in told[:2])
        assert (first.name, first.parameters["hopping"]["hops"], first.submission["top"]) == ("first", 4, False)
        assert (second.name, second.parameters["hopping"]["hops"], second.submission["kind"]) == ("second", 9, "slab")
        assert {first.priority, second.priority} == {3}
        assert {first.parameters["seed"], second.parameters["seed"]} == {5}
    assert adhop.jobs() == 2


def test_files_are_a_job_each(adhop, tmp_path):
    for name in ("one", "two"):
        write(tmp_path / f"{name}.cif", slab())
    code, lines = adhop("submit-many", tmp_path / "one.cif", tmp_path / "two.cif", "--adsorbate", "*OH")
    assert (code, lines[-1]) == (0, "2 of 2 jobs queued")
    assert adhop.jobs() == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,energy\na,1\n", "the first line must name the columns: slab,adsorbate or bulk,miller,adsorbate"),
        ("bulk,milller\nPt,111\n", "there is no option 'milller' for a column; there are adslab"),
        ("bulk,miller,adsorbate\n", "there is no job in these files"),
    ],
)
def test_a_table_that_cannot_be_read_queues_nothing(adhop, tmp_path, text, said):
    (tmp_path / "jobs.csv").write_text(text)
    code, lines = adhop("submit-many", tmp_path / "jobs.csv")
    assert code == 1
    assert said in " ".join(lines)
    assert adhop.jobs() == 0
