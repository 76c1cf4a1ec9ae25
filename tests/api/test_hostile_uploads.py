"""Texts made to harm are refused within two seconds; the API goes on answering, and reads the next good structure."""

import gzip
import json
import resource
import socket
import time
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from tests.api.structures import BULK_JOB, on_slab, slab, text

LIMIT_S = 30.0
"""A parser has two seconds of a core and ten by the clock; the rest is what a busy machine adds."""
MEGABYTE = 1_000_000
JSON = {"Content-Type": "application/json"}
LATTICE = 'Lattice="5 0 0 0 5 0 0 0 20" pbc="T T T"'
POSCAR = "Pt\n1.0\n5 0 0\n0 5 0\n0 0 20\nPt\n{count}\nDirect\n0 0 0\n"
CIF = (
    "data_x\n_cell_length_a 5\n_cell_length_b 5\n_cell_length_c 5\n_cell_angle_alpha 90\n_cell_angle_beta 90\n"
    "_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'F m -3 m'\n"
    "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
)
PACKED = gzip.compress(bytes(50 * MEGABYTE))


def extxyz(comment: str, row: str = "Pt 0 0 0") -> str:
    return f"1\n{LATTICE} {comment}\n{row}\n"


def ase_json(**whole: Any) -> str:
    return json.dumps({"numbers": [78], "positions": [[0, 0, 0]], "cell": [[5, 0, 0], [0, 5, 0], [0, 0, 20]]} | whole)


def array(*shape: int) -> dict[str, Any]:
    return {"__ndarray__": [list(shape), "float64", []]}


TEXTS = {
    "a POSCAR of 4e8 atoms": ("poscar", POSCAR.format(count=400_000_000), "400000000 atoms are too many"),
    "a POSCAR of countless atoms": ("poscar", POSCAR.format(count="9" * 1_000_000), "must count the atoms"),
    "a POSCAR of 300000 elements": (
        "poscar",
        POSCAR.format(count="1 " * 300_000).replace("Pt\n1 ", "Pt " * 300_000 + "\n1 "),
        "too many",
    ),
    "a POSCAR scaled beyond all numbers": ("poscar", POSCAR.format(count=1).replace("1.0", "1e400"), "finite"),
    "an extxyz of 4e8 atoms": ("extxyz", "400000000\n\n", "400000000 atoms are too many"),
    "an extxyz of countless atoms": ("extxyz", "9" * 3_000_000 + "\n\n", "starts with the number of atoms"),
    "three billion columns": ("extxyz", extxyz("Properties=species:S:1:pos:R:3000000000"), "more than 64 columns"),
    "three billion columns, said the second time": (
        "extxyz",
        extxyz("Properties=species:S:1:pos:R:3 Properties=species:S:1:pos:R:3000000000"),
        "more than 64 columns",
    ),
    "a comment of megabytes": ("extxyz", extxyz("a=b " * 900_000), "comment line is longer"),
    "deep JSON in a comment": ("extxyz", extxyz('x="_JSON ' + "[" * 19_000 + '"'), "recursion"),
    "NaN": ("extxyz", extxyz("Properties=species:S:1:pos:R:3", "Pt nan nan nan"), "not finite"),
    "an ASE JSON shape of 15 GiB": ("ase-json", ase_json(positions=array(2 * 10**9)), "doesn't bring as many"),
    "an ASE JSON shape of nothing times much": ("ase-json", ase_json(numbers=array(0, 2 * 10**9)), "numbers must be"),
    "NaN in ASE JSON": ("ase-json", '{"numbers": [NaN]}', "NaN is not a number"),
    "deep ASE JSON": ("ase-json", "[" * 3_000_000, "recursion"),
    "an integer of megabytes": ("ase-json", '{"numbers": [' + "9" * 3_000_000 + "]}", "can't be read"),
    "an object to be built": (
        "ase-json",
        ase_json(cell={"__ase_objtype__": "os.system", "x": "true"}),
        "can't be read",
    ),
    "a CIF of crowded sites": (
        "cif",
        CIF + "".join(f"Pt {0.001 * n:.4f} {0.0013 * n:.4f} {0.0017 * n:.4f}\n" for n in range(1, 2000)),
        "takes too long or too much memory",
    ),
    "a CIF number of a million digits": ("cif", CIF + "Pt " + "9" * 1_000_000 + " 0 0\n", "takes too long"),
    "a CIF of endless quotes": ("cif", CIF + "'" * 2_000_000, "as cif"),
    "a CIF loop that never ends": ("cif", "data_x\n_cell_length_a 5\nloop_\n", "can't be read as cif"),
    "a CIF text that never ends": ("cif", "data_x\n_cell_length_a 5\n;\n" + "abc\n" * 40_000, "can't be read as cif"),
    "a CIF of many lines": ("cif", CIF + "Pt 0 0 0\n" * 60_000, "more than 50000 lines"),
    "NUL": ("poscar", POSCAR.format(count=1) + "\0", "NUL"),
    "a packed text": ("extxyz", b64encode(PACKED).decode(), "starts with the number of atoms"),
    "a path": ("cif", "/etc/passwd", "is it a crystal structure"),
    "a path with an index": ("poscar", "POSCAR@0", "at least eight lines"),
    "standard input": ("extxyz", "-", "starts with the number of atoms"),
    "a database": ("ase-json", "postgresql://postgres@127.0.0.1/postgres", "can't be read as ase-json"),
    "nothing": ("extxyz", " \n", "empty"),
}

JOB = json.dumps(BULK_JOB).encode()
BODIES = {
    "a packed body": (PACKED, {"Content-Encoding": "gzip"}, 415, "uncompressed"),
    "a packed body that doesn't say so": (PACKED, {}, 400, "packed"),
    "a body beyond the limit": (b" " * (4 * MEGABYTE + 1), {}, 413, "at most 4000000"),
    "deep JSON": (b"[" * (3 * MEGABYTE), {}, 400, "nested too deeply"),
    "deep objects": (b'{"a":' * 600_000, {}, 400, "nested too deeply"),
    "JSON not quite too deep": (b'{"a":' * 900 + b"1" + b"}" * 900, {}, 422, "input: is missing"),
    "an integer of megabytes": (b'{"priority":' + b"9" * (3 * MEGABYTE) + b"}", {}, 400, "too many digits"),
    "a number beyond all numbers": (JOB[:-1] + b',"priority":1e400}', {}, 422, "finite"),
    "NaN": (JOB[:-1] + b',"priority":NaN}', {}, 422, "finite"),
    "bytes that are no text": (b'{"name":"\xff"}', {}, 400, "can't be read as JSON"),
    "broken JSON": (b'{"name":', {}, 422, "not JSON"),
    "no body": (b"", {}, 422, "is missing"),
    "a pickle": (JOB, {"Content-Type": "application/octet-stream"}, 422, "Content-Type: application/json"),
    "a form": (JOB, {"Content-Type": "application/x-www-form-urlencoded"}, 422, "Content-Type: application/json"),
    "a million wrong entries": (
        json.dumps(BULK_JOB | {"parameters": {"ensemble": {"search_members": [1] * 1_200_000}}}).encode(),
        {},
        422,
        "more than 10000 entries",
    ),
    "many unknown fields": (json.dumps({f"{n:x}": 0 for n in range(290_000)}).encode(), {}, 422, "100 fields"),
    "a name of megabytes": (b'{"' + b"k" * (3 * MEGABYTE) + b'":1}', {}, 422, "input: is missing"),
}


def answered(client: httpx.Client, content: bytes | Iterable[bytes], headers: dict[str, str]) -> httpx.Response:
    """The refusal, in time and as a problem document of sane size; afterwards all is well."""
    started = time.monotonic()
    answer = client.post("/v1/jobs", content=content, headers=JSON | headers)
    took = time.monotonic() - started
    assert 400 <= answer.status_code < 500, answer.text
    assert took < LIMIT_S, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 10_000
    assert client.get("/healthz").json() == {"status": "alive"}
    good = client.post("/v1/jobs", json=on_slab(text(slab())))
    assert good.status_code == 201, good.text
    return answer


@pytest.mark.parametrize(("form", "hostile", "reason"), TEXTS.values(), ids=TEXTS.keys())
def test_a_hostile_text_is_refused_in_time_and_harms_nothing(client, form, hostile, reason):
    answer = answered(client, json.dumps(on_slab({"format": form, "text": hostile})).encode(), {})
    assert (answer.status_code, answer.json()["field"]) == (422, "input.slab")
    assert reason in answer.json()["detail"]


@pytest.mark.parametrize(("body", "headers", "status", "reason"), BODIES.values(), ids=BODIES.keys())
def test_a_hostile_body_is_refused_in_time_and_harms_nothing(client, body, headers, status, reason):
    answer = answered(client, body, headers)
    assert answer.status_code == status
    assert reason in answer.json()["detail"]


def test_a_body_that_announces_no_length_is_counted_as_it_comes(client):
    answer = answered(client, (b" " * 100_000 for _ in range(100)), {})
    assert answer.status_code == 413
    assert "larger than this server accepts" in answer.json()["detail"]


def test_an_announced_length_is_refused_before_any_of_it_arrives(service):
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port), timeout=LIMIT_S) as raw:
        head = f"POST /v1/jobs HTTP/1.1\r\nHost: {url.host}\r\nAuthorization: Bearer {service.key()}\r\n"
        raw.sendall(f"{head}Content-Length: {10**18}\r\n\r\n".encode())
        assert raw.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_refusals_leave_the_apis_own_memory_as_it_was(client):
    """The tests' process is the API's; what parsing takes is taken in its children."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for form, hostile, _ in (
        TEXTS["three billion columns, said the second time"],
        TEXTS["an ASE JSON shape of 15 GiB"],
    ):
        assert client.post("/v1/jobs", json=on_slab({"format": form, "text": hostile})).status_code == 422
    assert client.post("/v1/jobs", content=PACKED, headers=JSON | {"Content-Encoding": "gzip"}).status_code == 415
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
