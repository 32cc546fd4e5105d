"""The Open Inference Protocol: tasks of every kind answer as models."""

import base64
import io

import numpy as np
import pytest

from faast._version import __version__
from tests.serve.test_hostile import assert_problem

TEXTS = ["lost card", "refund"]


def infer(client, given, model="mail", **more):
    return client.post(f"/v2/models/{model}/infer", json={"inputs": [given], **more})


def texts(data=TEXTS, **wrong):
    return {"name": "text", "shape": [len(data)], "datatype": "BYTES", "data": data} | wrong


def features(data, **wrong):
    shape = list(np.shape(data))
    return {"name": "features", "shape": shape, "datatype": "FP32", "data": data} | wrong


def make_shapes(client):
    client.post("/v1/tasks", json={"name": "shapes", "kind": "numbers"})
    rows = [{"numbers": [n, -n], "label": f"{n > 3}"} for n in range(8)]
    client.post("/v1/tasks/shapes/rows", json={"rows": rows})


def test_the_server_and_its_models_are_described(mail):
    mail.post("/v1/tasks", json={"name": "new"})
    assert mail.get("/v2/health/live").json() == mail.get("/v2/health/ready").json()
    assert mail.get("/v2").json() == {
        "name": "faast",
        "version": __version__,
        "extensions": ["model_repository"],
    }
    assert mail.get("/v2/models/mail/ready").json() == {"name": "mail", "ready": True}
    assert mail.get("/v2/models/new/ready").json() == {"name": "new", "ready": False}
    listed = mail.post("/v2/repository/index", json={}).json()
    assert [(one["name"], one["state"]) for one in listed] == [
        ("mail", "READY"),
        ("new", "UNAVAILABLE"),
    ]
    assert len(mail.post("/v2/repository/index", json={"ready": True}).json()) == 1
    assert_problem(mail.get("/v2/models/mail/versions/1"), 404)


def test_texts_are_answered_as_by_our_own_route(mail):
    described = mail.get("/v2/models/mail").json()
    answer = infer(mail, texts(), id="7").json()
    label, probability = answer["outputs"]
    assert (answer["id"], answer["model_name"]) == ("7", "mail")
    assert "model_version" not in answer  # of servers with versions only
    assert label == {"name": "label", "shape": [2], "datatype": "BYTES", "data": ["card", "refund"]}
    asked = mail.post("/v1/tasks/mail/ask", json={"texts": TEXTS, "novelty": True}).json()
    assert described["parameters"]["classes"] == list(asked["answers"][0]["probabilities"])
    assert probability["shape"] == [2, 3]
    assert probability["data"] == [
        p for one in asked["answers"] for p in one["probabilities"].values()
    ]
    assert answer["parameters"]["state"] == asked["state"]
    only = infer(mail, texts(shape=[2, 1]), outputs=[{"name": "label"}]).json()
    assert only["outputs"] == [label]
    measured = infer(mail, texts(), outputs=[{"name": "novelty"}]).json()["outputs"]
    values = [one["novelty_p_value"] for one in asked["answers"]]
    assert measured == [{"name": "novelty", "shape": [2], "datatype": "FP64", "data": values}]


def test_features_are_taken_by_every_kind_of_task(mail):
    encoded = mail.app.state.folder.task("mail").state.encode(TEXTS)
    by_text = infer(mail, texts()).json()
    for datatype in ("FP32", "FP64"):
        flat = features(encoded.ravel().tolist(), shape=list(encoded.shape), datatype=datatype)
        assert infer(mail, flat).json() == by_text
    assert infer(mail, features(encoded.tolist())).json() == by_text

    make_shapes(mail)
    asked = mail.post("/v1/tasks/shapes/ask", json={"numbers": [[1, -1], [7, -7]]}).json()
    found = infer(mail, features([[1, -1], [7, -7]]), "shapes").json()["outputs"]
    assert found[0]["data"] == [one["label"] for one in asked["answers"]] == ["False", "True"]
    described = mail.get("/v2/models/shapes").json()["inputs"]
    assert described == [{"name": "features", "datatype": "FP32", "shape": [-1, 2]}]
    assert_problem(infer(mail, texts(), "shapes"), 422)
    assert_problem(mail.post("/v1/classify", json={"model": "shapes", "input": "a"}), 422)


def test_pictures_are_taken(client, rng):
    image = pytest.importorskip("PIL.Image")

    def picture(colour):
        pixels = rng.integers(0, 100, (32, 32, 3), dtype=np.uint8)
        pixels[..., 0 if colour == "red" else 2] += 150
        content = io.BytesIO()
        image.fromarray(pixels).save(content, "PNG")
        return base64.b64encode(content.getvalue()).decode()

    client.post("/v1/tasks", json={"name": "photos", "kind": "pictures", "encoder": "pixels"})
    rows = [{"picture": picture(colour), "label": colour} for colour in ("red", "blue") * 4]
    client.post("/v1/tasks/photos/rows", json={"rows": rows})
    given = {"name": "picture", "shape": [1], "datatype": "BYTES", "data": [picture("blue")]}
    assert infer(client, given, "photos").json()["outputs"][0]["data"] == ["blue"]
    assert client.get("/v2/models/photos").json()["inputs"][0]["name"] == "picture"


TWO = {"name": "features", "shape": [2, 2], "datatype": "FP32"}


@pytest.mark.parametrize(
    ("model", "given"),
    [
        ("mail", texts(shape=[3])),
        ("mail", texts(datatype="FP32")),
        ("mail", texts(name="x")),
        ("mail", texts([1, 2])),
        ("mail", texts([])),
        ("mail", features([[1.0, 2.0]])),
        ("shapes", TWO | {"data": [1, 2, 3]}),
        ("shapes", TWO | {"data": [[1], [2, 3, 4]]}),
        ("shapes", TWO | {"data": [[1, 2, 3], [4, 5, 6]], "shape": [3, 2]}),
        ("shapes", TWO | {"data": [[1, 2, 3, 4]]}),
        ("shapes", TWO | {"data": [1, 2, 3, 1e39]}),
        ("shapes", TWO | {"data": [1, 2, 3, "4"]}),
        ("shapes", TWO | {"data": [1, 2, 3, True]}),
        ("shapes", TWO | {"data": [1, 2, 3, 4], "shape": [4, 1]}),
        ("shapes", TWO | {"data": [1, 2, 3, 4], "shape": [-1, 2]}),
        ("shapes", TWO | {"data": [1, 2, 3, 4], "datatype": "INT8"}),
    ],
    ids=repr,
)
def test_an_input_that_does_not_fit_is_refused(mail, model, given):
    make_shapes(mail)
    assert infer(mail, TWO | {"data": [1, 2, 3, 4]}, "shapes").status_code == 200
    problem = assert_problem(infer(mail, given, model), 422)
    assert problem["error"]  # where the protocol has it
