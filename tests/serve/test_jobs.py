"""Uploads: a job reads the whole file, and teaches it batch after batch."""

import io
import json
import resource
import sys
import time
import zipfile

import numpy as np
import pytest

from faast import FaastClassifier
from faast.serve.fields import MAX_PICTURE
from faast.serve.jobs import upload
from tests.serve.conftest import ROWS, serving, state_of, teach
from tests.serve.ledger import rows_of, state_of_rows

CSV = "text,label,source\n" + "".join(
    f"{text},{label},{source or ''}\n" for text, label, source in ROWS
)


def uploaded(client, body, format="csv", task="mail", **query):
    """Return the job of an upload once it has ended."""
    answer = client.post(
        f"/v1/tasks/{task}/uploads", params={"format": format, **query}, content=body
    )
    assert answer.status_code == 202, answer.text
    return ended(client, answer.json()["id"])


def ended(client, job):
    while True:
        shown = client.get(f"/v1/jobs/{job}").json()
        if shown["status"] not in ("waiting", "running"):
            return shown
        time.sleep(0.01)


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(upload, "BATCH_ROWS", 2)


@pytest.fixture
def empty(client):
    client.post("/v1/tasks", json={"name": "mail"})
    return client


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_an_upload_is_learned_as_if_its_rows_had_been_taught(empty, small_batches, format):
    lines = [dict(zip(("text", "label", "source"), row, strict=True)) for row in ROWS]
    body = CSV if format == "csv" else "\n".join(map(json.dumps, lines))
    job = uploaded(empty, body, format)
    assert (job["status"], job["done"], job["total"], job["detail"]) == ("done", 5, 5, None)
    assert list(rows_of(empty).values()) == ROWS
    assert state_of(empty) == state_of_rows(rows_of(empty))
    history = empty.get("/v1/tasks/mail/history").json()["changes"]
    assert [change["n_rows"] for change in history] == [1, 2, 2, 0]


def test_rows_without_a_label_wait_for_one_and_name_the_source_of_the_upload(empty):
    uploaded(empty, "sentence,y\nlost card,card\nmy top up failed,\n", source="ann")
    shown = empty.get("/v1/tasks/mail").json()
    assert (shown["rows"], shown["waiting"]) == (1, 1)
    assert list(rows_of(empty).values()) == [
        ("lost card", "card", "ann"),
        ("my top up failed", None, "ann"),
    ]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_table_with_other_separators_is_read_by_its_header(empty, separator):
    rows = [("text", "label"), ('"lost, or stolen"', "card"), ("top up, please", "top up")]
    body = "\ufeff" + "".join(separator.join(row) + "\r\n" for row in rows)
    assert uploaded(empty, body.encode())["status"] == "done"
    assert list(rows_of(empty).values()) == [
        ("lost, or stolen", "card", None),
        ("top up, please", "top up", None),
    ]


@pytest.mark.parametrize(
    ("format", "body"),
    [
        ("csv", 'text,label\na,card\nb, card\nc,card \nd,cafe\u0301\ne,caf\xe9\nf,7\n'),
        (
            "jsonl",
            "\n".join(
                json.dumps({"text": text, "label": label})
                for text, label in [
                    ("a", "card"), ("b", " card"), ("c", "card "), ("d", "cafe\u0301"),
                    ("e", "caf\xe9"), ("f", 7.0),
                ]
            ),
        ),
    ],
)  # fmt: skip
def test_labels_that_read_alike_are_one_class(empty, format, body):
    assert uploaded(empty, body.encode(), format)["status"] == "done"
    labels = [label for _, label, _ in rows_of(empty).values()]
    assert labels == ["card", "card", "card", "caf\xe9", "caf\xe9", "7"]


def test_whether_a_label_is_confirmed_may_be_written_in_several_ways(empty):
    words = ["true", "TRUE", "1", "yes", "false", "0", "no", ""]
    lines = [f"text {i},card,{word}\n" for i, word in enumerate(words)]
    assert uploaded(empty, "text,label,confirmed\n" + "".join(lines))["status"] == "done"
    rows = empty.get("/v1/tasks/mail/rows").json()["rows"]
    confirmed = {row["text"]: row["confirmed"] for row in rows}
    assert [confirmed[f"text {i}"] for i in range(8)] == [True] * 4 + [False] * 4


BAD = [
    ("csv", "text,label\nlost card,card\n  ,card\n", "line 3, column 'text'"),
    ("csv", 'text,label\nlost card,card\n"it\'s lost",a\tb\n', "line 3, column 'label'"),
    ("csv", "text,label\nlost card,card\nlost\n", "line 3: 1 fields, the header has 2"),
    ("csv", 'text,label\n"lost card,card\ntop up,top up\n', "line 2: "),
    ("csv", "text,label\nlost card,card\ncaf\xe9,card\n".encode("latin1"), "line 3, column 'text'"),
    ("csv", "text,label,confirmed\nlost card,card,maybe\n", "line 2, column 'confirmed'"),
    ("jsonl", '{"text": "a", "label": NaN}\n', "line 1, column 'label': the label is missing"),
    ("csv", "a,b,label\nlost,card,card\n", "name the one that holds the rows 'text'"),
    ("csv", "a,b\nlost card,card\n", "begins with 'a,b', which names no known column"),
    ("csv", "lost card;card\n", "must name the columns, such as text,label"),
    ("csv", "", "empty"),
    ("csv", "text,label\n", "no rows"),
    ("jsonl", '{"text": "lost card", "label": "card"}\n{"text": 7}\n', "line 2, column 'text'"),
    ("jsonl", '{"text": "lost card"}\n{"text": \n', "line 2: not JSON"),
    ("jsonl", '{"text": "lost card", "text": "x"}\n', "line 1: 'text' is there twice"),
    ("jsonl", '{"text": "lost card"}\n{"label": "card"}\n', "line 2: not an object such as"),
    ("jsonl", '{"text": "a", "source": ["x"]}\n', "line 1, column 'source'"),
    ("zip", b"PK\x03\x04", "this is a task of texts"),
]


@pytest.mark.parametrize(("format", "body", "named"), BAD)
def test_a_bad_line_is_named_and_nothing_of_the_file_is_taught(
    mail, small_batches, format, body, named
):
    before = state_of(mail)
    job = uploaded(mail, body, format)
    assert job["status"] == "failed"
    assert job["done"] == 0
    assert named in job["detail"]
    assert "tmp" not in job["detail"]  # no path of this disk
    assert state_of(mail) == before
    assert len(rows_of(mail)) == len(ROWS)


def picture(shade):
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.full((9, 9, 3), shade, np.uint8)).save(file, "PNG")
    return file.getvalue()


def zipped(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def pictures(client):
    client.post("/v1/tasks", json={"name": "mail", "kind": "pictures"})
    return client


@pytest.mark.parametrize("outer", ["", "pets/"])
def test_an_archive_has_one_folder_per_class(pictures, outer):
    files = {
        f"{outer}dog/1.png": picture(9),
        f"{outer}cat/deep/2.PNG": picture(90),
        f"{outer}cat/3.png": picture(99),
        f"__MACOSX/{outer}cat/3.png": b"a shadow",
        f"{outer}cat/.hidden.png": b"hidden",
        f"{outer}readme.txt": b"read me",
    }
    job = uploaded(pictures, zipped(files), "zip")
    assert (job["status"], job["total"]) == ("done", 3)
    assert job["detail"] == "left out: 1 files that are no pictures"
    assert pictures.get("/v1/tasks/mail/classes").json() == {"cat": 2, "dog": 1}
    assert pictures.get("/v1/tasks/mail/rows/3/picture").content == picture(9)


def test_pictures_in_no_folder_wait_for_a_label(pictures):
    assert uploaded(pictures, zipped({"1.png": picture(9)}), "zip")["status"] == "done"
    assert pictures.get("/v1/tasks/mail").json()["waiting"] == 1


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"a/1.png": picture(1), "a/2.png": picture(2)[:45]}, "'a/2.png'"),
        ({"a/1.png": picture(1), "a/2.png": b"no picture"}, "'a/2.png': it is no picture"),
        ({"a/1.png": picture(1), "b/bomb.png": bytes(6_000_000)}, "'b/bomb.png' has more than"),
        ({"a/readme.txt": b"read me"}, "no rows"),
    ],
)
def test_a_bad_picture_is_named_and_no_picture_is_taught(pictures, files, named):
    job = uploaded(pictures, zipped(files), "zip")
    assert job["status"] == "failed"
    assert named in job["detail"]
    assert pictures.get("/v1/tasks/mail").json()["rows"] == 0


def test_an_archive_with_a_huge_table_of_contents_is_refused(pictures):
    body = bytearray(zipped({"a/1.png": picture(1)}))
    body[-22 + 12 : -22 + 16] = (2**31).to_bytes(4, "little")
    job = uploaded(pictures, bytes(body), "zip")
    assert (job["status"], job["done"]) == ("failed", 0)
    assert "too large" in job["detail"]


def test_an_archive_of_too_many_files_is_refused(pictures, monkeypatch):
    monkeypatch.setattr("faast.serve.jobs.pictures.MAX_FILES", 2)
    job = uploaded(pictures, zipped({f"a/{i}.png": picture(i) for i in range(3)}), "zip")
    assert (job["status"], job["done"]) == ("failed", 0)
    assert "it may hold 2 files" in job["detail"]


def test_an_archive_that_unpacks_to_far_more_than_itself_is_refused(pictures):
    padded = picture(1) + bytes(MAX_PICTURE - 1_000)
    job = uploaded(pictures, zipped({f"a/{i}.png": padded for i in range(3)}), "zip")
    assert (job["status"], job["done"]) == ("failed", 0)
    assert "'a/1.png', the pictures have more than 10 times the bytes of" in job["detail"]
    assert pictures.get("/v1/tasks/mail").json()["rows"] == 0
    assert uploaded(pictures, zipped({"a/0.png": padded}), "zip")["status"] == "done"


def test_numbers_stand_in_a_column_each_or_in_a_list(client):
    client.post("/v1/tasks", json={"name": "mail", "kind": "numbers"})
    assert uploaded(client, "a,b,label\n1,-2.5,x\n3,4,y\n")["status"] == "done"
    assert uploaded(client, '{"numbers": [5, 6], "label": "x"}\n', "jsonl")["status"] == "done"
    rows = client.get("/v1/tasks/mail/rows").json()["rows"]
    assert [row["numbers"] for row in rows] == [[1, -2.5], [3, 4], [5, 6]]
    for body, named in (
        ("a,b,label\n1,2,x\n1,two,x\n", "line 3, column 'b': it is no number"),
        ('numbers,label\n"' + "[" * 100_000 + '",x\n', "line 2, column 'numbers'"),
        ("a,b,label\n1,2,x\n1,nan,x\n", "line 3, column 'numbers', number 2"),
        ("a,b,c,label\n1,2,3,x\n", "it also holds 'c'"),
    ):
        job = uploaded(client, body)
        assert (job["status"], job["done"]) == ("failed", 0)
        assert named in job["detail"]


def test_columns_of_a_task_of_numbers_go_by_the_names_of_its_first_upload(tmp_path):
    first, second = "a,b,label\n1,9,x\n8,2,y\n", "b,label,a\n7,x,3\n1,y,6\n"
    states = []
    for name, body in (("one", second), ("two", "a,b,label\n3,7,x\n6,1,y\n")):
        with serving(tmp_path / name) as client:
            client.post("/v1/tasks", json={"name": "mail", "kind": "numbers"})
            assert uploaded(client, first)["status"] == "done"
        with serving(tmp_path / name) as client:  # the names are there after a stop
            assert uploaded(client, body)["status"] == "done"
            states.append(state_of(client))
            job = uploaded(client, "a,c,label\n1,2,x\n")
            assert (job["status"], job["done"]) == ("failed", 0)
            assert "it lacks 'b' and it also holds 'c'" in job["detail"]
            assert state_of(client) == states[-1]
            exported = client.get("/v1/tasks/mail/export?format=csv").text
            assert exported.startswith("a,b,label")
            for _ in range(2):
                client.post("/v1/tasks/mail/undo")
            assert uploaded(client, "c,d,label\n1,2,x\n")["status"] == "done"  # none are left
    assert states[0] == states[1]


def test_columns_of_numbers_are_matched_to_those_that_the_model_has_learned(client, tmp_path):
    frame = pytest.importorskip("pandas").DataFrame(
        {"width": [10.0, 1.0], "height": [1.0, 10.0], "source": [0.0, 0.0]}
    )
    FaastClassifier().fit(frame, ["flat", "tall"]).save(tmp_path / "shapes.faast")
    model = (tmp_path / "shapes.faast").read_bytes()
    assert client.post("/v1/import?name=mail", content=model).status_code == 201
    assert uploaded(client, "source;height;label;width\n0;9;tall;2\n")["status"] == "done"
    assert client.get("/v1/tasks/mail/rows").json()["rows"][0]["numbers"] == [2, 9, 0]
    job = uploaded(client, "height,depth,source,label\n9,2,0,tall\n")
    assert (job["status"], job["done"]) == ("failed", 0)
    assert "it lacks 'width' and it also holds 'depth'" in job["detail"]


def test_a_cancelled_job_keeps_what_it_taught_until_that_is_undone(mail, small_batches):
    before = state_of(mail)
    rows = "".join(f"row {i},label {i % 3}\n" for i in range(4_000))
    job = mail.post("/v1/tasks/mail/uploads?format=csv", content=f"text,label\n{rows}").json()["id"]
    while not mail.get(f"/v1/jobs/{job}").json()["done"]:
        time.sleep(0.01)
    refused = mail.post(f"/v1/jobs/{job}/undo")
    assert refused.status_code == 409
    assert "cancel it first" in refused.json()["detail"]
    told = mail.delete(f"/v1/jobs/{job}").json()
    assert told["status"] == "cancelled"
    assert 0 < told["done"] < 4_000
    assert told["detail"] == f"{told['done']} rows were taught and stay; undo forgets them"
    assert mail.get("/v1/tasks/mail").json()["rows"] == len(ROWS) + told["done"]
    assert mail.delete(f"/v1/jobs/{job}").status_code == 409
    change = mail.post(f"/v1/jobs/{job}/undo").json()
    assert (change["kind"], change["n_rows"]) == ("forget upload", told["done"])
    assert state_of(mail) == before
    assert mail.post(f"/v1/jobs/{job}/undo").status_code == 409
    mail.post("/v1/tasks/mail/undo")
    assert mail.get("/v1/tasks/mail").json()["rows"] == len(ROWS) + told["done"]


def test_a_job_that_was_cancelled_while_it_waited_stays_so(empty, small_batches):
    body = "text,label\n" + "".join(f"row {i},label\n" for i in range(4_000))
    jobs = [
        empty.post("/v1/tasks/mail/uploads?format=csv", content=body).json()["id"] for _ in range(3)
    ]
    for job in reversed(jobs):
        assert empty.delete(f"/v1/jobs/{job}").json()["status"] == "cancelled"
    assert uploaded(empty, CSV)["status"] == "done"  # so the job before it had its turn
    assert ended(empty, jobs[2])["status"] == "cancelled"


def test_a_source_is_forgotten_with_all_of_its_uploads(empty, small_batches, tmp_path):
    rows = "".join(f"row {i},label,secret person\n" for i in range(4_000))
    assert uploaded(empty, "text\n\n", source="secret person")["status"] == "failed"
    assert uploaded(empty, "secret person,a\nx,y\n")["status"] == "failed"
    running = empty.post(
        "/v1/tasks/mail/uploads?format=csv", content=f"text,label,source\n{rows}"
    ).json()["id"]
    while not empty.get(f"/v1/jobs/{running}").json()["done"]:
        time.sleep(0.01)
    wanted = {"source": "secret person"}
    refused = empty.post("/v1/tasks/mail/forget-source", json=wanted)
    assert refused.status_code == 409
    assert "or cancel it" in refused.json()["detail"]
    empty.delete(f"/v1/jobs/{running}")
    taught = empty.get("/v1/tasks/mail").json()["rows"]
    certificate = empty.post("/v1/tasks/mail/forget-source", json=wanted).json()
    assert certificate["rows_forgotten"] == taught
    assert empty.get("/v1/tasks/mail").json()["rows"] == 0
    assert "secret" not in empty.get("/v1/jobs").text
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in files if b"secret person" in path.read_bytes()] == []


def test_a_stopped_server_goes_on_with_its_jobs_at_the_next_start(tmp_path, small_batches):
    texts = [f"row {i}" for i in range(300)]
    with serving(tmp_path) as client:
        client.post("/v1/tasks", json={"name": "mail"})
        body = "text,label\n" + "".join(f"{text},label\n" for text in texts)
        job = client.post("/v1/tasks/mail/uploads?format=csv", content=body).json()["id"]
        while not client.get(f"/v1/jobs/{job}").json()["done"]:
            time.sleep(0.01)
    with serving(tmp_path) as client:
        assert ended(client, job)["status"] == "done"
        assert [row[0] for row in rows_of(client).values()] == texts
        (tmp_path / "jobs" / "0.incoming").write_bytes(b"left behind by a kill")
    with serving(tmp_path) as client:
        assert ended(client, job)["done"] == 300
        assert [path.suffix for path in (tmp_path / "jobs").iterdir()] == [".json"]


@pytest.mark.parametrize("record", ['{"id": "x", "new_member": 1}', "{", "[]", '{"id": "x"}', "7"])
def test_a_record_of_a_job_that_cannot_be_read_is_left_alone(tmp_path, caplog, record):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "x.json").write_text(record)
    (tmp_path / "jobs" / "x.upload").write_text(CSV)
    with serving(tmp_path) as client:
        assert client.get("/v1/jobs").json() == {"jobs": []}
        client.post("/v1/tasks", json={"name": "mail"})
        assert uploaded(client, CSV)["status"] == "done"
    assert "x.json" in caplog.text
    assert (tmp_path / "jobs" / "x.json").read_text() == record
    assert (tmp_path / "jobs" / "x.upload").read_text() == CSV


def test_a_job_never_teaches_another_task_of_the_same_name(tmp_path, small_batches):
    with serving(tmp_path) as client:
        client.post("/v1/tasks", json={"name": "mail"})
        body = "text,label\n" + "a row,label\n" * 1_000
        job = client.post("/v1/tasks/mail/uploads?format=csv", content=body).json()["id"]
        while not client.get(f"/v1/jobs/{job}").json()["done"]:
            time.sleep(0.01)
        client.delete("/v1/tasks/mail")
        client.post("/v1/tasks", json={"name": "mail"})
        assert ended(client, job)["status"] == "failed"
        assert "deleted" in ended(client, job)["detail"]
        assert client.get("/v1/tasks/mail").json()["rows"] == 0
        refused = client.post(f"/v1/jobs/{job}/undo")
        assert refused.status_code == 404


def test_more_uploads_than_may_wait_are_refused(empty, monkeypatch):
    monkeypatch.setattr("faast.serve.jobs.jobs.MAX_WAITING", 0)
    refused = empty.post("/v1/tasks/mail/uploads?format=csv", content=CSV)
    assert refused.status_code == 429
    assert "wait until one has ended" in refused.json()["detail"]


def test_an_unknown_task_job_or_format_is_refused(empty):
    assert empty.post("/v1/tasks/no/uploads?format=csv", content=CSV).status_code == 404
    assert empty.post("/v1/tasks/mail/uploads?format=exe", content=CSV).status_code == 422
    assert empty.get("/v1/jobs/no").status_code == 404
    assert empty.get("/v1/jobs").json() == {"jobs": []}


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit of Linux")
def test_a_job_waits_for_room_on_a_full_disk_and_goes_on(server, tmp_path):
    body = "text,label\n" + "".join(f"row {i} {'x' * 200},label\n" for i in range(400))
    constants = {
        "faast.serve.jobs.upload.BATCH_ROWS": 2,
        "faast.serve.jobs.jobs.RETRY_SECONDS": 0.05,
    }
    with server.running(tmp_path, constants) as http:
        http.post("/v1/tasks", json={"name": "mail"})
        teach(http)
        job = http.post("/v1/tasks/mail/uploads?format=csv", content=body).json()["id"]
        while not http.get(f"/v1/jobs/{job}").json()["done"]:
            time.sleep(0.01)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        while not (waiting := http.get(f"/v1/jobs/{job}").json())["detail"]:
            time.sleep(0.01)
        assert waiting["status"] == "running"
        assert "not acknowledged" in waiting["detail"]
        refused = http.post("/v1/tasks/mail/uploads?format=csv", content=body)
        assert refused.status_code == 507
        refused = http.delete(f"/v1/jobs/{job}")
        assert (refused.status_code, "goes on" in refused.json()["detail"]) == (507, True)
        assert http.get("/v1/tasks/mail").json()["rows"] == len(ROWS) + waiting["done"]
        limit = resource.RLIM_INFINITY, resource.RLIM_INFINITY
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limit)
        assert ended(http, job)["status"] == "done"
        assert http.get("/v1/tasks/mail").json()["rows"] == len(ROWS) + 400
        assert len(list((tmp_path / "jobs").iterdir())) == 1
