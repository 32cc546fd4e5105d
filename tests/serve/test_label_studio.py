"""Label Studio teaches a task; the messages in payloads/ were recorded from version 1.23.2."""

import copy
import itertools
import json
from pathlib import Path

import pytest

from faast import TextClassifier
from faast.serve.label_studio.labelling import Labelling
from faast.serve.tasks.state import TaskState
from tests.serve.conftest import serving, state_of, teach

PAYLOADS = Path(__file__).with_name("payloads")
EMPTY = TaskState(TextClassifier()).hash


def payload(name):
    return json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))


def annotation(name="annotation_created", label="location", *, minute=0, project=2, **changes):
    """Return a recorded message about an annotation, with another label, time or project."""
    message = payload(name)
    message["project"]["id"] = project
    message["annotation"]["updated_at"] = f"2026-11-30T16:{minute:02}:00.000000Z"
    message["annotation"]["result"][0]["value"]["choices"] = [label]
    message["annotation"] |= changes
    return message


def tell(client, message):
    answer = client.post("/labelstudio/mail/webhook", json=message)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "ok"
    return answer.json()["position"]


def learned(*rows):
    texts, labels = zip(*rows, strict=True)
    return TaskState(TextClassifier().fit(list(texts), list(labels))).hash


@pytest.fixture
def task(client):
    client.post("/v1/tasks", json={"name": "mail"})
    return client


RIVER = "where is the river"


def test_a_recorded_session_changes_the_task_exactly(task):
    assert task.get("/labelstudio/mail/health").json()["status"] == "UP"
    version = task.post("/labelstudio/mail/setup", json=payload("setup")).json()
    assert version == {"model_version": "mail-0"}
    assert tell(task, payload("annotation_created")) == 1
    assert state_of(task) == learned((RIVER, "location"))
    assert tell(task, payload("annotation_updated")) == 2
    assert state_of(task) == learned((RIVER, "human"))
    assert tell(task, payload("annotation_skipped")) is None
    assert tell(task, payload("start_training")) is None
    assert state_of(task) == learned((RIVER, "human"))
    assert tell(task, payload("annotations_deleted")) == 3
    assert state_of(task) == EMPTY
    unknown = task.post("/labelstudio/mail/webhook", json=payload("project_updated"))
    assert (unknown.status_code, unknown.json()["status"]) == (200, "Unknown event")


def test_messages_that_come_twice_or_in_another_order_leave_the_latest(tmp_path):
    """Any order of the same messages gives one state."""
    said = [annotation(minute=i, label=label) for i, label in enumerate("abc")]
    gone = payload("annotations_deleted")
    for place, order in enumerate(itertools.permutations([*said, said[1]])):
        with serving(tmp_path / str(place)) as client:
            client.post("/v1/tasks", json={"name": "mail"})
            for message in order:
                tell(client, message)
            assert state_of(client) == learned((RIVER, "c"))
    for place, order in enumerate(itertools.permutations([said[0], said[1], gone, gone])):
        with serving(tmp_path / f"gone-{place}") as client:
            client.post("/v1/tasks", json={"name": "mail"})
            for message in order:
                tell(client, message)
            assert state_of(client) == EMPTY


def test_undo_is_exact_and_holds_until_the_annotation_changes_again(task):
    teach(task)
    before = state_of(task)
    tell(task, annotation(minute=0, label="location"))
    first = state_of(task)
    tell(task, annotation(minute=1, label="human"))
    task.post("/v1/tasks/mail/undo")
    assert state_of(task) == first
    task.post("/v1/tasks/mail/undo")
    assert state_of(task) == before
    assert tell(task, annotation(minute=1, label="human")) is None
    assert state_of(task) == before
    tell(task, annotation(minute=2, label="location"))
    assert state_of(task) == first
    tell(task, payload("annotations_deleted"))
    assert state_of(task) == before
    task.post("/v1/tasks/mail/undo")
    assert state_of(task) == first


def test_what_was_said_is_known_after_a_restart(tmp_path):
    with serving(tmp_path) as client:
        client.post("/v1/tasks", json={"name": "mail"})
        tell(client, annotation(minute=1, label="human"))
    with serving(tmp_path) as client:
        assert tell(client, annotation(minute=0, label="location")) is None
        assert tell(client, annotation(minute=2, label="location")) == 2
        (row,) = client.get("/v1/tasks/mail/rows").json()["rows"]
        assert (row["id"], row["text"], row["label"]) == (1, RIVER, "location")


def test_a_skipped_annotation_is_forgotten_and_may_come_back(task):
    tell(task, annotation(minute=0))
    tell(task, annotation(minute=1, was_cancelled=True))
    assert state_of(task) == EMPTY
    tell(task, annotation(minute=2))
    assert state_of(task) == learned((RIVER, "location"))
    assert [row["id"] for row in task.get("/v1/tasks/mail/rows").json()["rows"]] == [1]


def test_deleted_items_take_their_annotations_with_them(task):
    tell(task, annotation(minute=0))
    gone = payload("tasks_deleted")
    gone["tasks"] = [{"id": payload("annotation_created")["task"]["id"]}]
    tell(task, gone)
    assert state_of(task) == EMPTY
    assert tell(task, annotation(minute=1, id=99)) is None  # late news of a deleted item
    assert state_of(task) == EMPTY


@pytest.mark.parametrize("keep_rows", [True, False])
def test_a_changed_text_is_another_row(client, keep_rows):
    client.post("/v1/tasks", json={"name": "mail", "keep_rows": keep_rows})
    tell(client, annotation(minute=0))
    message = annotation(minute=1)
    message["task"]["data"]["question"] = "where is the long river"
    tell(client, message)
    assert state_of(client) == learned(("where is the long river", "location"))


def test_annotations_of_two_projects_are_told_apart(task):
    tell(task, annotation(project=2, label="location"))
    tell(task, annotation(project=3, label="human"))
    assert state_of(task) == learned((RIVER, "location"), (RIVER, "human"))


def test_several_annotations_at_once(task):
    first, second = annotation(minute=0), annotation(minute=0, label="human", id=7)
    several = copy.deepcopy(first) | {"action": "ANNOTATIONS_CREATED"}
    several["annotation"] = [first["annotation"], second["annotation"]]
    several["task"] = [first["task"], second["task"]]
    assert tell(task, several) == 1
    assert state_of(task) == learned((RIVER, "location"), (RIVER, "human"))


def test_one_message_may_name_an_annotation_twice(task):
    old, new = annotation(minute=0), annotation(minute=1, label="human")
    several = copy.deepcopy(new) | {"action": "ANNOTATIONS_CREATED"}
    several["annotation"] = [new["annotation"], old["annotation"]]
    several["task"] = [new["task"], old["task"]]
    tell(task, several)
    assert state_of(task) == learned((RIVER, "human"))
    gone = payload("annotations_deleted")
    gone["annotations"] *= 2
    gone["tasks"] = [{"id": old["task"]["id"]}]
    tell(task, gone)
    assert state_of(task) == EMPTY


def test_messages_of_another_shape_change_nothing(task):
    good = annotation()
    for change in (
        {"task": None},
        {"task": [good["task"]] * 2},
        {"annotation": good["annotation"] | {"updated_at": "0001-01-01T00:00:00+14:00"}},
        {"annotation": good["annotation"] | {"updated_at": "9999-12-31T23:59:59-14:00"}},
        {"annotation": good["annotation"] | {"id": 2**63}},
        {"project": good["project"] | {"created_at": "not a time"}},
        {"annotations": 3},
    ):
        answer = task.post("/labelstudio/mail/webhook", json=good | change)
        assert answer.status_code == 422, (change, answer.text)
    assert (
        task.post(
            "/labelstudio/mail/webhook",
            json={"action": "ANNOTATION_CREATED", "project": good["project"]},
        ).json()["position"]
        is None
    )
    assert state_of(task) == EMPTY


def test_a_person_is_forgotten_with_all_annotations(task):
    tell(task, annotation(minute=0, completed_by=4))
    tell(task, annotation(minute=0, completed_by=5, id=7, label="human"))
    sources = task.get("/v1/tasks/mail/sources").json()
    assert sources == {"label studio user 4": 1, "label studio user 5": 1}
    task.post("/v1/tasks/mail/forget-source", json={"source": "label studio user 4"})
    assert state_of(task) == learned((RIVER, "human"))
    tell(task, annotation(minute=1, completed_by=4))
    assert state_of(task) == learned((RIVER, "human"), (RIVER, "location"))


def test_predictions_are_answers_and_low_scores_mean_doubt(task):
    asked = payload("predict")
    untaught = task.post("/labelstudio/mail/predict", json=asked).json()["results"]
    assert all(one["result"] == [] and one["score"] == 0 for one in untaught)
    rows = [
        (RIVER, "location", None),
        ("who wrote it", "human", None),
        ("how many", "numeric", None),
    ]
    teach(task, [*rows, ("off the list", "other", None)])
    asked["tasks"][-1]["data"] = {"other": "member"}
    *found, unreadable = task.post("/labelstudio/mail/predict", json=asked).json()["results"]
    assert unreadable == {"result": [], "score": 1.0, "model_version": "mail-1"}
    texts = [item["data"]["question"] for item in asked["tasks"][:-1]]
    answers = task.post("/v1/tasks/mail/ask", json={"texts": texts}).json()["answers"]
    for prediction, answer in zip(found, answers, strict=True):
        shares = answer["probabilities"]
        assert prediction["score"] == pytest.approx(sum(p * p for p in shares.values()))
        del shares["other"]  # which the project does not offer
        assert prediction["model_version"] == "mail-1"
        (part,) = prediction["result"]
        assert (part["from_name"], part["to_name"], part["type"]) == ("label", "text", "choices")
        assert part["value"] == {"choices": [max(shares, key=shares.get)]}


def test_labels_of_a_project_are_learned_in_one_form_and_answered_as_it_writes_them(task):
    asked, written = payload("predict"), " cafe\u0301"
    asked["label_config"] = CONFIG.replace('"location"', f'"{written}"')
    teach(task, [("at the bar", "caf\u00e9", None), ("who wrote it", "human", None)])
    asked["tasks"] = [{**asked["tasks"][0], "data": {"question": "at the bar"}}]
    (found,) = task.post("/labelstudio/mail/predict", json=asked).json()["results"]
    assert found["result"][0]["value"] == {"choices": [written]}


CONFIG = payload("setup")["schema"]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (CONFIG.replace("single", "multiple"), 'write choice="single"'),
        (CONFIG.replace("<Choices", '<Choices name="b" toName="text"/><Choices'), "has 2 Choices"),
        ("<View/>", "has 0 Choices tags"),
        (CONFIG.replace('toName="text"', 'toName="gone"'), "must label a Text tag"),
        (CONFIG.replace("$question", "fixed"), "must name a member of the data"),
        (CONFIG.replace('name="label" ', ""), "has no name"),
        ("<View", "is not XML"),
        ('<!DOCTYPE v [<!ENTITY a "b">]>' + CONFIG, "remove its <!DOCTYPE>"),
    ],
)
def test_projects_that_ask_for_something_else_are_refused(task, caplog, config, says):
    answer = task.post("/labelstudio/mail/setup", json=payload("setup") | {"schema": config})
    assert (answer.status_code, says in answer.json()["detail"]) == (422, True), answer.text
    assert says in caplog.text  # Label Studio shows no more than the status
    message = annotation()
    message["project"]["label_config"] = config
    assert task.post("/labelstudio/mail/webhook", json=message).status_code == 422
    assert state_of(task) == EMPTY


def test_what_cannot_be_learned_is_refused(task, client):
    several = annotation()
    several["annotation"]["result"][0]["value"]["choices"] = ["location", "human"]
    textless = annotation()
    textless["task"]["data"] = {"question": None}
    without_payload = {"action": "ANNOTATION_CREATED"}
    for message, says in [
        (several, "several labels"),
        (annotation(label="x" * 201), "the label cannot be learned"),
        (textless, "no text in 'question'"),
        (without_payload, "switch on 'Send payload'"),
    ]:
        answer = task.post("/labelstudio/mail/webhook", json=message)
        assert (answer.status_code, says in answer.json()["detail"]) == (422, True), answer.text
    assert state_of(task) == EMPTY
    client.post("/v1/tasks", json={"name": "numbers", "kind": "numbers"})
    refused = client.post("/labelstudio/numbers/setup", json=payload("setup"))
    assert "a task of numbers" in refused.json()["detail"]
    assert client.get("/labelstudio/gone/health").status_code == 404


def test_an_alias_is_the_label_that_annotations_name():
    labelling = Labelling.parse(CONFIG)
    assert labelling == Labelling("label", "text", "question", ("location", "human", "numeric"))
