"""What the server ignored or decided is told once, apart from what a script prints."""

from adhop.job import Job

BODY = {"id": "1", "state": "succeeded", "adsorbate": "*CO", "surface": "Pt", "warnings": ["slab: not used: momenta"]}


class Server:
    """Answers with one more warning, as after a search."""

    def newer(self, path: str, tag: str | None) -> tuple[dict, str]:
        return BODY | {"warnings": [*BODY["warnings"], "the search ended early"]}, "a tag"


def test_a_warning_is_told_once_to_standard_error(capsys):
    job = Job(Server(), dict(BODY)).tell_warnings()
    job.tell_warnings()
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "note: slab: not used: momenta\n")
    job.refresh().wait(progress=False)
    assert capsys.readouterr().err == "note: the search ended early\n"
    assert job.warnings == ["slab: not used: momenta", "the search ended early"]


def test_a_server_that_tells_none_is_an_old_one():
    assert Job(Server(), {"id": "1", "state": "queued"}).warnings == []
