"""Texts, pictures and numbers, any encoder, and rows that wait: what is kept, sent and erased."""

import base64
import shutil
import struct
import zlib

import numpy as np
import pytest

from faast import FaastClassifier, ImageClassifier, TextClassifier
from faast.serve.fields import MAX_PICTURE, MAX_PIXELS, MAX_REQUEST_PIXELS
from faast.serve.problems import RequestError
from faast.serve.tasks.folder import TaskFolder
from faast.serve.tasks.records import NewRow
from faast.serve.tasks.replay import replay
from faast.serve.tasks.schema import unpack
from faast.serve.tasks.state import TaskState
from faast.serve.tasks.task import Task
from tests.serve.conftest import ROWS, serving, state_of, teach
from tests.serve.test_histories import created, picture

PICTURES = [picture(i) for i in range(4)]


def encoded(content):
    return base64.b64encode(content).decode()


def png_of(width, height, n_bytes=0):
    """Return a PNG file that declares a size, and holds next to nothing."""

    def chunk(kind, content):
        crc = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b"") + b"\0" * n_bytes


def post_rows(client, task, *rows):
    return client.post(f"/v1/tasks/{task}/rows", json={"rows": rows})


def in_files(folder):
    return b"".join(path.read_bytes() for path in folder.iterdir())


@pytest.fixture
def animals(client):
    client.post("/v1/tasks", json={"name": "animals", "kind": "pictures"})
    rows = [
        {"picture": encoded(content), "label": label, "source": "ann"}
        for content, label in zip(PICTURES[:3], ["cat", "dog", None], strict=True)
    ]
    assert post_rows(client, "animals", *rows).status_code == 201
    return client


def test_pictures_are_learned_and_sent_back_as_they_were_given(animals):
    (described,) = animals.get("/v1/tasks").json()["tasks"]
    assert (described["kind"], described["encoder"]) == ("pictures", ImageClassifier().encoder_name)
    assert (described["rows"], described["waiting"]) == (2, 1)
    fitted = ImageClassifier().fit(PICTURES[:2], ["cat", "dog"])
    assert state_of(animals, "animals") == TaskState(fitted).hash
    rows = animals.get("/v1/tasks/animals/rows").json()["rows"]
    for row, content in zip(rows, PICTURES, strict=False):
        assert (row["text"], row["numbers"]) == (None, None)
        sent = animals.get(row["picture"])
        assert (sent.content, sent.headers["content-type"]) == (content, "image/png")
    for format in ("JPEG", "WEBP"):
        content = picture(9, format)
        (number,) = post_rows(animals, "animals", {"picture": encoded(content)}).json()["ids"]
        sent = animals.get(f"/v1/tasks/animals/rows/{number}/picture")
        kind = f"image/{format.lower()}"
        assert (sent.content, sent.headers["content-type"]) == (content, kind)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture"),
        (b"GIF89a" + b"\0" * 50, "no picture"),
        (b"RIFF\0\0\0\0WAVEfmt ", "no picture"),
        (b"\x89PNG\r\n\x1a\n", "cannot read"),
        (b"\xff\xd8\xff\xe0 cut", "cannot read"),
        (png_of(MAX_PIXELS, 1), "cannot"),
        (png_of(10_000, MAX_PIXELS // 10_000 + 1), "make the picture smaller"),
        (png_of(2**20, 2**20), "make the picture smaller"),
        (png_of(1, 1, MAX_PICTURE), "make the picture smaller"),
    ],
    ids=["empty", "svg", "gif", "wav", "cut png", "cut jpeg", "no pixels", "large", "bomb", "long"],
)
def test_pictures_that_must_not_be_decoded_are_refused(animals, content, why):
    before = state_of(animals, "animals")
    answer = post_rows(animals, "animals", {"picture": encoded(content), "label": "cat"})
    assert answer.status_code == 422
    assert why in answer.json()["detail"]
    assert state_of(animals, "animals") == before


def test_pictures_that_fill_the_memory_together_are_refused(animals):
    large = encoded(png_of(10_000, MAX_PIXELS // 10_000))
    several = [large] * (MAX_REQUEST_PIXELS // MAX_PIXELS + 1)
    before = state_of(animals, "animals")
    taught = post_rows(animals, "animals", *({"picture": one, "label": "cat"} for one in several))
    asked = animals.post("/v1/tasks/animals/ask", json={"pictures": several})
    tensor = {"name": "picture", "shape": [len(several)], "datatype": "BYTES", "data": several}
    inferred = animals.post("/v2/models/animals/infer", json={"inputs": [tensor]})
    for answer in (taught, asked, inferred):
        assert answer.status_code == 422
        assert "pixels together; send them in several requests" in answer.json()["detail"]
    assert state_of(animals, "animals") == before


def test_what_is_no_base64_is_refused(animals):
    answer = post_rows(animals, "animals", {"picture": "ä!", "label": "cat"})
    assert (answer.status_code, "base64" in answer.json()["detail"]) == (422, True)


def test_numbers_are_rows_themselves(client):
    client.post("/v1/tasks", json={"name": "table", "kind": "numbers"})
    rows = [{"numbers": [0.5, 1e5], "label": "a"}, {"numbers": [0.25, -3], "label": "b"}]
    assert post_rows(client, "table", *rows).status_code == 201
    shown = client.get("/v1/tasks/table/rows/2").json()
    assert (shown["numbers"], shown["text"], shown["picture"]) == ([0.25, -3], None, None)
    for wrong, status in (
        ({"numbers": [1.0]}, 422),
        ({"numbers": [1.0, 1e39]}, 422),
        ({"numbers": [1.0, 1e20], "label": "a"}, 422),
        ({"text": "a"}, 422),
        ({"numbers": [], "label": "a"}, 422),
    ):
        answer = post_rows(client, "table", wrong)
        assert (answer.status_code, bool(answer.json()["detail"])) == (status, True), wrong
    assert client.patch("/v1/tasks/table", json={"keep_rows": False}).status_code == 409
    assert (
        client.post(
            "/v1/tasks", json={"name": "x", "kind": "numbers", "encoder": "hashing"}
        ).status_code
        == 422
    )


def test_a_table_that_faast_learn_learned_is_taught_on(tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = np.random.default_rng(0).uniform(size=(20, 3)), ["a", "b"] * 10
    model = FaastClassifier().fit(pandas.DataFrame(X, columns=["x", "y", "z"]), y)
    model.save(tmp_path / "table.faast")
    with serving(tmp_path) as client:
        answer = post_rows(client, "table", {"numbers": [0.5, 0.25, 0.125], "label": "a"})
        assert answer.status_code == 201
        expected = FaastClassifier().fit(np.vstack([X, [[0.5, 0.25, 0.125]]]), [*y, "a"])
        assert state_of(client, "table") == TaskState(expected).hash


def test_rows_wait_for_a_label_and_are_not_learned_before(mail):
    before = state_of(mail)
    new = [{"text": "a new card", "source": "eve"}, {"text": "no refund"}]
    added = post_rows(mail, "mail", *new).json()
    assert (added["kind"], added["state"], state_of(mail)) == ("add", before, before)
    waiting = mail.get("/v1/tasks/mail/rows", params={"waiting": True}).json()["rows"]
    assert [(row["id"], row["label"]) for row in waiting] == [(6, None), (7, None)]
    learned = mail.get("/v1/tasks/mail/rows", params={"waiting": False}).json()["rows"]
    assert len(learned) == len(ROWS)
    of_card = mail.get("/v1/tasks/mail/rows", params={"label": "card"}).json()["rows"]
    assert [row["id"] for row in of_card] == [1, 2]
    assert mail.post("/v1/tasks/mail/rows/6/confirm").status_code == 409
    assert mail.patch("/v1/tasks/mail/rows/6", json={"label": "card"}).json()["kind"] == "label"
    rows = [(text, label) for text, label, _ in ROWS] + [("a new card", "card")]
    fitted = TextClassifier().fit(*map(list, zip(*rows, strict=True)))
    assert state_of(mail) == TaskState(fitted).hash
    assert mail.post("/v1/tasks/mail/rows/6/confirm").status_code == 200
    assert mail.get("/v1/tasks/mail/rows/6").json()["confirmed"] is True
    assert mail.delete("/v1/tasks/mail/rows/7").status_code == 200
    assert mail.delete("/v1/tasks/mail/rows/7").status_code == 404
    for _ in range(4):
        mail.post("/v1/tasks/mail/undo")
    assert (state_of(mail), mail.get("/v1/tasks/mail").json()["waiting"]) == (before, 0)


def test_a_forgotten_source_leaves_no_text_picture_features_or_waiting_row(animals, tmp_path):
    task = animals.app.state.folder.task("animals")
    kept = task._log._ask("SELECT features, raw FROM contents")
    for features, raw in kept:
        assert features in in_files(tmp_path)
        assert raw in in_files(tmp_path)
    animals.delete("/v1/tasks/animals/rows/1")
    post_rows(animals, "animals", {"picture": encoded(PICTURES[3]), "label": "cow"})
    answer = animals.post("/v1/tasks/animals/forget-source", json={"source": "ann"}).json()
    assert answer["rows_forgotten"] == 2
    assert answer["state_after"] == TaskState(ImageClassifier().fit(PICTURES[3:], ["cow"])).hash
    left = in_files(tmp_path)
    for features, raw in kept:
        assert features not in left
        assert unpack(features).tobytes() not in left
        assert raw not in left
        for start in range(48, len(raw) - 16, 16):
            assert raw[start : start + 16] not in left
    assert PICTURES[3] in left
    assert animals.get("/v1/tasks/animals").json()["waiting"] == 0


def test_rows_that_are_no_longer_kept_are_erased_and_still_forgotten_exactly(mail, tmp_path):
    assert b"lost my card" in in_files(tmp_path)
    before = state_of(mail)
    answer = mail.patch("/v1/tasks/mail", json={"keep_rows": False}).json()
    assert (answer["keep_rows"], answer["state"], answer["rows"]) == (False, before, 5)
    teach(mail, [("my secret is out", "secret", None)])
    for text in (b"lost my card", b"secret is out"):
        assert text not in in_files(tmp_path)
    assert mail.get("/v1/tasks/mail/rows/1").json()["text"] is None
    mail.patch("/v1/tasks/mail/rows/6", json={"label": "card"})
    mail.delete("/v1/tasks/mail/rows/6")
    assert state_of(mail) == before
    mail.patch("/v1/tasks/mail", json={"keep_rows": True})
    teach(mail, [("a text to keep", "card", None)])
    assert mail.get("/v1/tasks/mail/rows/7").json()["text"] == "a text to keep"
    for _ in range(3):
        mail.post("/v1/tasks/mail/undo")
    assert mail.get("/v1/tasks/mail/rows/6").json()["label"] == "secret"


def test_a_retried_forgetting_finishes_the_erasure_and_gives_the_certificate(tmp_path, monkeypatch):
    task = created(tmp_path, "mail")
    task.teach([NewRow("lost card", "card", "ann"), NewRow("top up", "top up", "bob")])
    before = task.state.hash

    def full(model, path):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(TextClassifier, "save", full)
        for _ in range(2):
            with pytest.raises(RequestError, match="could not be erased yet") as raised:
                task.forget_source("bob")
            assert raised.value.status_code == 507
    certificate = task.forget_source("bob")
    assert (certificate.rows_forgotten, certificate.state_before) == (1, before)
    assert certificate.state_after == task.state.hash
    assert [change.kind for change in task.history(9)] == ["forget source", "teach", "start"]
    assert b"top up" not in in_files(tmp_path)
    task.close()


def test_a_log_of_another_format_is_refused(tmp_path):
    task = created(tmp_path, "mail")
    task._log._writer.execute("UPDATE settings SET value = '1' WHERE name = 'format'")
    task.close()
    assert "format 1" in TaskFolder(tmp_path).unserved["mail"]


@pytest.fixture
def checkpoint(bert, tmp_path):
    """Return a copy of a checkpoint, whose features depend on the batch, in a folder of its own."""
    return shutil.copytree(bert, tmp_path / "bert")


def test_an_encoder_that_is_gone_leaves_the_task_open_for_features(checkpoint, tmp_path):
    folder = tmp_path / "tasks"
    texts = ["where is my card", "the card is lost", "a photo of a cat", "my dog ?"]
    with serving(folder) as client:
        new = {"name": "mail", "encoder": f"hf:{checkpoint}"}
        assert client.post("/v1/tasks", json=new).status_code == 201
        rows = [{"text": text, "label": label} for text, label in zip(texts, "aabb", strict=True)]
        post_rows(client, "mail", *rows)
        state = client.app.state.folder.task("mail").state
        features = state.encode(texts[:1])
        answer = state.probabilities(features).tolist()
        client.app.state.folder.task("mail")._saved = 10**6  # as after a crash: no snapshot
    shutil.rmtree(checkpoint)
    with serving(folder) as client:
        task = client.app.state.folder.task("mail")
        assert task.state.hash == state.hash
        assert task.state.probabilities(features).tolist() == answer
        refused = post_rows(client, "mail", {"text": "a", "label": "b"})
        assert refused.status_code == 503
        assert "bert" in refused.json()["detail"]
        assert client.post("/v1/tasks/mail/ask", json={"texts": ["a"]}).status_code == 503
        assert client.patch("/v1/tasks/mail/rows/1", json={"label": "b"}).status_code == 200
        assert client.delete("/v1/tasks/mail/rows/1").status_code == 200
        client.post("/v1/tasks/mail/undo")
        client.post("/v1/tasks/mail/undo")
        assert state_of(client) == state.hash
        assert client.get("/v1/tasks/mail/evaluation").json()["rows"] == 4
        assert client.get("/v1/tasks/mail/model").status_code == 200


def test_an_encoder_whose_features_depend_on_the_batch_is_forgotten_exactly(checkpoint, tmp_path):
    folder = tmp_path / "tasks"
    folder.mkdir()
    task = created(folder, "mail", encoder=f"hf:{checkpoint}")
    start = task.state.hash
    task.teach([NewRow(f"where is my card {'the ' * i}", "a") for i in range(5)])
    one = task.state.hash
    _, numbers = task.teach([NewRow("where is my card", "b"), NewRow("a dog", "b")])
    for number in numbers:
        task.forget(number)
    assert task.state.hash == one
    for _ in range(4):
        task.undo()
    assert task.state.hash == start
    task.close()


def test_names_of_classes_are_known_before_rows_and_replayed_without_the_encoder(clip, tmp_path):
    copied = shutil.copytree(clip, tmp_path / "clip")
    folder = tmp_path / "tasks"
    folder.mkdir()
    task = created(folder, "animals", "pictures", f"clip:{copied}")
    start = task.state.hash
    task.add_class("cat")
    assert task.state.classes == {"cat": 0}
    empty = task.state.hash
    task.add_class("dog")
    shares = task.state.probabilities(task.state.encode(PICTURES[:1]))
    assert shares.shape == (1, 2)
    task.teach([NewRow(PICTURES[0], "cat"), NewRow(PICTURES[1], "card")])
    task.rename_class("cat", "a cat")
    task.merge_classes(["dog"], "card")
    assert task.classes == {"a cat": 1, "card": 1}
    state = task.state
    features = task.review().learned.features
    model = task.state.model
    fitted = type(model)(encoder=model.encoder_, labels=["a cat", "card"])
    fitted.partial_fit_encoded(features, ["a cat", "card"], fitted.embed_names(["a cat", "card"]))
    assert TaskState(fitted).hash == state.hash
    task._closing.close()
    shutil.rmtree(copied)
    task = Task(folder, "animals")
    assert task.state.hash == state.hash
    assert replay(task._log, folder / "animals.faast")[1].hash == state.hash
    for _ in range(4):
        task.undo()
    assert task.state.hash == empty
    task.undo()
    assert task.state.hash == start
    task.close()


@pytest.fixture
def learned(tmp_path):
    """Return a task of a model file whose rows the log does not hold."""
    model = TextClassifier().fit([row[0] for row in ROWS], [row[1] for row in ROWS])
    model.alias_classes({"top-up": "top up"}).save(tmp_path / "mail.faast")
    task = Task(tmp_path, "mail")
    yield task
    task.close()


def fitted(rows):
    texts, labels = zip(*(row[:2] for row in rows), strict=True)
    return TaskState(TextClassifier().fit(list(texts), list(labels))).hash


def test_classes_of_a_model_file_are_renamed_and_merged_as_far_as_that_is_exact(learned):
    start = learned.state.hash
    learned.teach([NewRow("where is my card", "card"), NewRow("a new top up", "top-up")])
    rows = [*ROWS, ("where is my card", "card"), ("a new top up", "top up")]
    assert learned.state.hash == fitted(rows)
    learned.rename_class("card", "bank card")
    renamed = [(text, "bank card" if label == "card" else label) for text, label, *_ in rows]
    assert learned.state.hash == fitted(renamed)
    assert learned.row(1).label == "bank card"
    learned.undo()
    assert (learned.state.hash, learned.row(1).label) == (fitted(rows), "card")
    learned.undo()
    assert learned.state.hash == start
    learned.merge_classes(["card", "refund"], "card")
    merged = [(text, "card" if label == "refund" else label) for text, label, *_ in ROWS]
    assert learned.state.hash == fitted(merged)
    with pytest.raises(RequestError, match="cannot be undone") as raised:
        learned.undo()
    assert raised.value.status_code == 409
    with pytest.raises(RequestError, match="in the model file only") as raised:
        learned.forget_class("card")
    assert raised.value.status_code == 409


def test_classes_over_http(mail):
    path = "/v1/tasks/mail/classes"
    before = state_of(mail)
    assert mail.post(f"{path}/add", json={"label": "other"}).json()["state"] == before
    assert mail.get(path).json() == {"card": 2, "other": 0, "refund": 1, "top up": 2}
    assert mail.post(f"{path}/add", json={"label": "card"}).status_code == 409
    assert mail.post(f"{path}/rename", json={"label": "card", "to": "refund"}).status_code == 409
    assert mail.post(f"{path}/rename", json={"label": "nope", "to": "x"}).status_code == 404
    assert mail.post(f"{path}/merge", json={"labels": ["card"], "into": "new"}).status_code == 409
    mail.post(f"{path}/merge", json={"labels": ["card", "refund"], "into": "money"})
    mail.post(f"{path}/rename", json={"label": "other", "to": "rest"})
    mail.post(f"{path}/forget", json={"label": "top up"})
    assert mail.get(path).json() == {"money": 3, "rest": 0}
    assert mail.get("/v1/tasks/mail/rows/1").json()["label"] == "money"
    kinds = [change["kind"] for change in mail.get("/v1/tasks/mail/history").json()["changes"]]
    assert kinds[:3] == ["forget class", "rename class", "merge classes"]
    for _ in range(4):
        assert mail.post("/v1/tasks/mail/undo").status_code == 200
    assert state_of(mail) == before
    assert mail.get(path).json() == {"card": 2, "refund": 1, "top up": 2}
