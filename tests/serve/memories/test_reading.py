"""Memories that read texts by a job, forget a source exactly, and survive a stop."""

import json
import shutil
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from faast.core.locking import exclusive
from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.documents import text_document
from faast.serve.memories import jobs, stored
from faast.serve.memories.log import ReadLog
from faast.serve.problems import RequestError
from tests.serve.memories.conftest import KING, QUEEN, READINGS, serving, speaking
from tests.serve.memories.test_completions import complete

KINDS = {
    "natural": {"kind": "natural"},
    "recalling": {"kind": "natural", "recall": True},
    "exact": {"kind": "pseudoinverse"},
    "recall": {"kind": "recall"},
}
SECRET = "york york castle castle york"


@pytest.fixture
def http(tmp_path, backbone):
    with serving(tmp_path, backbone) as http:
        yield http


def create(http, name="facts", **kind):
    answer = http.post("/v1/memories", json={"name": name} | (kind or KINDS["recall"]))
    assert answer.status_code == 201, answer.text
    return answer.json()


def read(http, text, source=None, name="facts"):
    """Let a memory read a text, and return the job when it is at its end."""
    answer = http.post(f"/v1/memories/{name}/read", json={"text": text, "source": source})
    assert answer.status_code == 202, answer.text
    return wait(http, answer.json()["id"])


def wait(http, job):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = http.get(f"/v1/jobs/{job}").json()
        if found["status"] not in ("waiting", "running"):
            return found
        time.sleep(0.02)
    raise AssertionError(found)


def state(http, name="facts"):
    return http.get(f"/v1/memories/{name}").json()["state"]


def test_a_memory_answers_what_it_has_read(http, client):
    made = create(http, **KINDS["recalling"])
    assert made == {
        "name": "facts",
        "kind": "natural",
        "recall": True,
        "forgets": False,
        "tokens": 0,
        "bytes": made["bytes"],
        "state": made["state"],
    }
    bare = complete(client, "facts", KING[:11]).choices[0].text
    assert bare == complete(client, "stories", KING[:11]).choices[0].text
    for _ in range(READINGS):
        job = read(http, KING, "books")
    assert (job["status"], job["done"], job["total"]) == ("done", 15, 15)
    assert (job["memory"], job["source"], job["detail"]) == ("facts", "books", None)
    assert complete(client, "facts", KING[:11], max_tokens=11).choices[0].text == KING[11:]
    shown = http.get("/v1/memories/facts").json()
    assert shown["tokens"] == READINGS * 14
    assert http.get("/v1/memories/facts/sources").json() == {"books": READINGS}
    assert len(http.get("/v1/jobs").json()["jobs"]) == READINGS


@pytest.mark.parametrize("kind", ["exact", "recall"])
def test_a_forgotten_source_leaves_the_memory_as_if_it_had_never_been_read(http, tmp_path, kind):
    empty = create(http, **KINDS[kind])["state"]
    read(http, KING, "king")
    known = state(http)
    for text in (QUEEN, SECRET, QUEEN):
        read(http, text, "queen")
    taught = state(http)
    assert len({empty, known, taught}) == 3
    answer = http.post("/v1/memories/facts/forget-source", json={"source": "queen"})
    assert answer.json() == {
        "source": "queen",
        "texts": 3,
        "state_before": taught,
        "state": known,
    }
    assert state(http) == known
    assert http.get("/v1/memories/facts/sources").json() == {"king": 1}
    for file in tmp_path.glob("facts.memory-log*"):
        assert SECRET.encode() not in file.read_bytes()
        assert taught.encode() not in file.read_bytes()
    http.post("/v1/memories/facts/forget-source", json={"source": "king"})
    assert state(http) == empty
    again = http.post("/v1/memories/facts/forget-source", json={"source": "king"})
    assert again.status_code == 404


@pytest.mark.parametrize("kind", ["exact", "recall"])
def test_a_text_without_a_source_is_forgotten_by_the_one_that_it_was_given(http, kind):
    create(http, **KINDS[kind])
    read(http, KING)
    known = state(http)
    job = read(http, SECRET)
    assert job["source"] == job["id"]
    assert http.get("/v1/memories/facts/sources").json()[job["source"]] == 1
    answer = http.post("/v1/memories/facts/forget-source", json={"source": job["source"]}).json()
    assert (answer["texts"], answer["state"], state(http)) == (1, known, known)


def test_recall_alone_may_be_named_as_a_kind(http):
    made = create(http, kind="recall")
    assert (made["kind"], made["recall"], made["forgets"]) == ("recall", True, True)
    assert create(http, "same", **KINDS["recall"])["state"] == made["state"]
    answer = http.post("/v1/memories", json={"name": "x", "kind": "recall", "recall": False})
    assert answer.status_code == 422
    assert "leave recall out" in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["natural", "recalling"])
def test_a_memory_that_cannot_forget_says_which_can(http, kind):
    create(http, **KINDS[kind])
    read(http, KING, "king")
    before = state(http)
    answer = http.post("/v1/memories/facts/forget-source", json={"source": "king"})
    assert answer.status_code == 409
    assert "'pseudoinverse' and 'recall'" in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert state(http) == before


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_read_is_there_after_a_stop(tmp_path, backbone, kind):
    with serving(tmp_path, backbone) as http:
        create(http, **KINDS[kind])
        read(http, KING, "king")
        read(http, QUEEN, "queen")
        before = http.get("/v1/memories").json()
        text = complete(speaking(http), "facts", KING[:11]).choices[0].text
    with serving(tmp_path, backbone) as http:
        assert http.get("/v1/memories").json() == before
        assert complete(speaking(http), "facts", KING[:11]).choices[0].text == text
        assert http.get("/v1/memories/facts/sources").json() == {"king": 1, "queen": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_is_replayed_after_a_file_that_is_older(tmp_path, backbone, kind):
    with serving(tmp_path, backbone) as http:
        create(http, **KINDS[kind])
        read(http, KING)
    file = tmp_path / "facts" / "memory.safetensors"
    old = file.read_bytes()
    with serving(tmp_path, backbone) as http:
        read(http, QUEEN, "queen")
        read(http, KING, "king")
        latest = state(http)
    for content in (old, None):
        file.write_bytes(old)
        if content is None:
            file.unlink()
        with serving(tmp_path, backbone) as http:
            assert state(http) == latest


def test_a_file_that_is_older_than_a_forgotten_source_is_not_served(tmp_path, backbone):
    with serving(tmp_path, backbone) as http:
        create(http)
        read(http, SECRET, "queen")
    file = tmp_path / "facts" / "memory.safetensors"
    old = file.read_bytes()
    with serving(tmp_path, backbone) as http:
        http.post("/v1/memories/facts/forget-source", json={"source": "queen"})
    file.write_bytes(old)
    with serving(tmp_path, backbone) as http:
        unserved = http.get("/v1/memories").json()["unserved"]
        assert "older than a forgotten source" in unserved["facts"]
        assert http.get("/v1/memories/facts").status_code == 404


def test_what_faast_lm_learn_wrote_goes_on_learning(written, tmp_path, backbone):
    for file in (written / "queen").iterdir():
        (tmp_path / "queen").mkdir(exist_ok=True)
        (tmp_path / "queen" / file.name).write_bytes(file.read_bytes())
    with serving(tmp_path, backbone) as http:
        before = http.get("/v1/memories/queen").json()
        read(http, KING, "king", "queen")
        after = http.get("/v1/memories/queen").json()
        assert after["tokens"] == before["tokens"] + 14
        http.post("/v1/memories/queen/forget-source", json={"source": "king"})
        assert http.get("/v1/memories/queen").json() == before


class Slow:
    """Lets the reading of a text wait at its first forward pass."""

    def __init__(self, monkeypatch):
        self.reached, self.go = Event(), Event()
        batches = stored.StoredMemory._batches

        def wait_and_read(memory, text):
            found = batches(memory, text)
            self.reached.set()
            assert self.go.wait(60)
            return found

        monkeypatch.setattr(stored.StoredMemory, "_batches", wait_and_read)


def test_of_a_cancelled_text_nothing_is_learned_or_kept(http, tmp_path, monkeypatch):
    before = create(http)["state"]
    slow = Slow(monkeypatch)
    jobs = [
        http.post("/v1/memories/facts/read", json={"text": SECRET, "source": "queen"}).json()["id"]
        for _ in range(2)
    ]
    assert slow.reached.wait(60)
    busy = http.post("/v1/memories/facts/forget-source", json={"source": "queen"})
    assert busy.status_code == 409
    assert http.delete("/v1/memories/facts").status_code == 409
    for job in jobs:
        assert http.delete(f"/v1/jobs/{job}").json()["status"] == "cancelled"
        assert http.delete(f"/v1/jobs/{job}").status_code == 409
    slow.go.set()
    assert read(http, KING, "king")["status"] == "done"
    assert state(http) != before
    assert http.get("/v1/memories/facts/sources").json() == {"king": 1}
    with sqlite3.connect(tmp_path / "facts.memory-log") as log:
        assert log.execute("SELECT count(*) FROM reads WHERE text = ?", (SECRET,)).fetchone() == (
            0,
        )


def test_a_cancelled_text_is_in_no_file(http, tmp_path, monkeypatch):
    create(http)
    slow = Slow(monkeypatch)
    jobs = [
        http.post("/v1/memories/facts/read", json={"text": SECRET, "source": "queen"}).json()["id"]
        for _ in range(2)
    ]
    assert slow.reached.wait(60)
    assert any(SECRET.encode() in file.read_bytes() for file in tmp_path.glob("facts*"))
    for job in jobs:
        http.delete(f"/v1/jobs/{job}")
    assert not any(SECRET.encode() in file.read_bytes() for file in tmp_path.glob("facts*"))
    slow.go.set()


def test_a_job_is_done_only_when_answers_know_its_text(http, monkeypatch):
    before = create(http)["state"]
    reached, go = Event(), Event()
    learned = ReadLog.learned

    def write_and_wait(log, *change):
        number = learned(log, *change)
        reached.set()
        assert go.wait(60)
        return number

    monkeypatch.setattr(ReadLog, "learned", write_and_wait)
    job = http.post("/v1/memories/facts/read", json={"text": KING}).json()["id"]
    assert reached.wait(60)
    seen = http.get(f"/v1/jobs/{job}").json()["status"], state(http)
    go.set()
    assert seen == ("running", before)
    assert wait(http, job)["status"] == "done"
    assert state(http) != before


def test_texts_and_memories_that_cannot_be(http):
    before = create(http)
    for body in (
        {"text": ""},
        {"text": " \n"},
        {"text": "\ud800"},
        {"text": 5},
        {"text": "the", "source": "a\nb"},
        {"text": "the", "label": "x"},
    ):
        content, headers = json.dumps(body), {"content-type": "application/json"}
        answer = http.post("/v1/memories/facts/read", content=content, headers=headers)
        assert answer.status_code == 422, body
    for name in ("", "../x", "a/b", "a.b", "stories", "x" * 65):
        assert http.post("/v1/memories", json={"name": name}).status_code == 422
    for kind in ({"kind": "paper"}, {"kind": "none"}, {"kind": "recall", "recall": False}):
        assert http.post("/v1/memories", json={"name": "new"} | kind).status_code == 422
    assert http.post("/v1/memories", json={"name": "facts"}).status_code == 409
    assert http.post("/v1/memories/nobody/read", json={"text": "the king"}).status_code == 404
    assert http.get("/v1/jobs/nothing").status_code == 404
    assert http.get("/v1/memories").json() == {"memories": [before], "unserved": {}}


def test_a_deleted_memory_leaves_nothing(http, client, tmp_path):
    create(http)
    read(http, KING)
    assert http.delete("/v1/memories/facts").status_code == 204
    assert [model.id for model in client.models.list()] == ["stories"]
    assert {path.name for path in tmp_path.iterdir()} <= {".served memories.faast-lock"}
    create(http)
    assert http.get("/v1/memories/facts").json()["tokens"] == 0


def test_a_text_that_comes_while_its_memory_is_deleted_is_refused(http, tmp_path):
    create(http)
    found = http.app.state.folder.memory("facts")  # as a request has it that came before
    assert http.delete("/v1/memories/facts").status_code == 204
    with pytest.raises(RequestError, match="'facts' was deleted") as raised:
        found.add(KING, None, None)
    assert raised.value.status_code == 404
    assert not list(tmp_path.glob("facts*"))


def test_one_process_at_a_time_serves_a_folder(http, tmp_path, backbone):
    with pytest.raises(ValueError, match="in use by another process"), serving(tmp_path, backbone):
        pass


def test_what_could_not_be_erased_is_erased_when_it_is_asked_again(http, tmp_path, monkeypatch):
    create(http)
    read(http, KING, "ann")
    empty = state(http)
    read(http, SECRET, "eve")

    def refuse(self):
        raise sqlite3.OperationalError("database or disk is full")

    forget = {"url": "/v1/memories/facts/forget-source", "json": {"source": "eve"}}
    with monkeypatch.context() as patch:
        patch.setattr(ReadLog, "erase", refuse)
        answer = http.post(**forget)
    assert answer.status_code == 507
    assert "the texts are forgotten, but what the log holds" in answer.json()["detail"]
    assert state(http) == empty
    assert http.post(**forget).json()["texts"] == 1
    assert state(http) == empty
    assert SECRET.encode() not in (tmp_path / "facts.memory-log").read_bytes()
    assert http.post(**forget).status_code == 404


def test_memories_that_cannot_be_opened_leave_the_others_served(tmp_path, backbone, monkeypatch):
    with serving(tmp_path, backbone) as http:
        for name in ("damaged", "facts", "halfway"):
            create(http, name)
            read(http, KING, name=name)
    (tmp_path / "damaged.memory-log").write_bytes(b"no database")
    batches = stored.StoredMemory._batches

    def fail(self, text):
        if self.name == "halfway":
            raise sqlite3.DatabaseError("database disk image is malformed")
        return batches(self, text)

    monkeypatch.setattr(stored.StoredMemory, "_batches", fail)
    (tmp_path / "halfway" / "memory.safetensors").unlink()  # so that its log is replayed
    with serving(tmp_path, backbone) as http:
        found = http.get("/v1/memories").json()
        assert [memory["name"] for memory in found["memories"]] == ["facts"]
        assert found["unserved"].keys() == {"damaged", "halfway"}
        assert {model["id"] for model in http.get("/v1/models").json()["data"]} == {
            "stories",
            "facts",
        }
        asked = http.post("/v1/completions", json={"model": "halfway", "prompt": "the king"})
        assert asked.status_code == 404
        assert "malformed" in asked.json()["error"]["message"]


def test_a_memory_that_a_command_changes_is_not_served(written, tmp_path, backbone):
    shutil.copytree(written / "queen", tmp_path / "queen")
    with exclusive(tmp_path / "queen"), serving(tmp_path, backbone) as http:
        assert "a command is changing it" in http.get("/v1/memories").json()["unserved"]["queen"]


def test_memories_with_readouts_stand_beside_others(written, stories, tmp_path, backbone):
    model = FaastForCausalLM.from_base(str(stories), MemoryConfig.paper(1))
    model.learn(text_document(backbone.tokenizer, KING).tokens[None])
    model.save_pretrained(tmp_path / "a")
    shutil.copytree(written / "queen", tmp_path / "b")
    with serving(tmp_path, backbone) as http:
        found = http.get("/v1/memories").json()
        assert found["unserved"] == {}
        kinds = {memory["name"]: memory["kind"] for memory in found["memories"]}
        assert kinds == {"a": "paper", "b": "recall"}


def test_of_two_deletions_at_once_one_finds_nothing(http):
    create(http)
    folder = http.app.state.folder
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda _: http.delete("/v1/memories/facts").status_code, range(2)))
    assert sorted(ended) == [204, 404]
    assert folder.memories == []


def test_texts_of_other_memories_do_not_wait_for_a_log_that_cannot_be_read(http, monkeypatch):
    monkeypatch.setattr(jobs, "RETRY_SECONDS", 0.05)
    learn = stored.StoredMemory.learn

    def fail(self, id, told):
        if self.name == "stuck":
            raise sqlite3.OperationalError("disk I/O error")
        learn(self, id, told)

    create(http, "stuck")
    create(http)
    with monkeypatch.context() as patch:
        patch.setattr(stored.StoredMemory, "learn", fail)
        stuck = http.post("/v1/memories/stuck/read", json={"text": KING}).json()["id"]
        assert read(http, QUEEN)["status"] == "done"
        assert http.get(f"/v1/jobs/{stuck}").json()["status"] == "waiting"
    assert wait(http, stuck)["status"] == "done"
