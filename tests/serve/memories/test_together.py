"""Requests for different memories go through the model together, and answer as if alone."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from threading import Event
from time import sleep

import pytest
import torch

from faast.lm import MemoryConfig
from faast.serve.memories import engine
from faast.serve.memories.attached import AttachedMemories
from faast.serve.memories.backbone import ServedBackbone
from faast.serve.memories.engine import Engine
from faast.serve.memories.sequence import Generated, Sampling
from faast.serve.problems import RequestError
from tests.lm.models import tiny, word_tokenizer
from tests.serve.memories.conftest import KING, WORDS, serving, speaking
from tests.serve.memories.test_completions import complete
from tests.serve.memories.test_reading import KINDS, create, read

MODELS = ("stories", "king", "queen", "both")


@contextmanager
def rows_of_passes(model):
    """Yield a list of the numbers of rows of the forward passes of a model."""
    rows = []
    handle = model.register_forward_hook(
        lambda _module, _args, inputs, _output: rows.append(len(inputs["input_ids"])),
        with_kwargs=True,
    )
    yield rows
    handle.remove()


@pytest.mark.parametrize("turn", [2, 32])
def test_a_batch_of_several_memories_answers_as_each_alone(client, backbone, monkeypatch, turn):
    monkeypatch.setattr(engine, "TURN", turn)  # texts join and leave a batch that is running
    asked = [
        (model, prompt, {"max_tokens": length, "seed": 5, "temperature": temperature})
        for model, prompt, (length, temperature) in product(
            MODELS, [KING[:11], "a queen"], [(9, 0), (6, 0.7), (3, 0)]
        )
    ]
    alone = [complete(client, m, prompt, **s).choices[0].text for m, prompt, s in asked]
    with rows_of_passes(backbone.model) as rows, ThreadPoolExecutor(len(asked)) as threads:
        answers = threads.map(lambda one: complete(client, one[0], one[1], **one[2]), asked)
        together = [answer.choices[0].text for answer in answers]
    assert together == alone
    assert len(set(alone)) > 8
    assert max(rows) > 8


def test_a_memory_that_is_read_changes_afterwards(stories):
    backbone = ServedBackbone.load(stories)
    attached = AttachedMemories(backbone.model)
    attached.create("facts", MemoryConfig(recall=True))
    tokens = backbone.tokenizer(KING, return_tensors="pt").input_ids
    learned = Event()

    def change(remove):
        with attached.changing("facts", lambda _: learned.set()) as model:
            model.learn(tokens)
        if remove:
            attached.remove("facts")

    def answer():
        with torch.no_grad():
            return backbone.model(input_ids=tokens).logits

    with ThreadPoolExecutor(1) as threads:
        for remove in (False, True):
            with attached.reading(["facts"]):
                before = answer()
                changed = threads.submit(change, remove)
                assert learned.wait(60)
                for _ in range(20):
                    assert torch.equal(answer(), before)
            changed.result(60)
            learned.clear()
            if not remove:
                with attached.reading(["facts"]):
                    assert not torch.equal(answer(), before)
    with pytest.raises(RequestError, match="was deleted"), attached.reading([None, "facts"]):
        pass


def test_rows_that_are_done_do_not_outgrow_the_model(tmp_path):
    tiny("gpt2", n_positions=64).save_pretrained(tmp_path / "model")
    word_tokenizer(WORDS).save_pretrained(tmp_path / "model")
    backbone = replace(ServedBackbone.load(tmp_path / "model"), ends=frozenset())
    with serving(tmp_path / "memories", backbone) as http, ThreadPoolExecutor(2) as threads:
        asked = [(["king"] * 16, 60), ("the " * 58, 5)]
        answers = threads.map(
            lambda one: complete(speaking(http), "model", one[0], max_tokens=one[1]), asked
        )
        assert [answer.choices[0].finish_reason for answer in answers] == ["length"] * 2


def test_a_text_ends_with_its_memory_and_others_go_on(http, client, monkeypatch):
    create(http, "gone")
    alone = complete(client, "king", KING[:11], max_tokens=9).choices[0].text
    waiting, deleted = Event(), Event()
    begin = Engine._begin

    def delete_first(engine, texts):
        if texts:
            waiting.set()
            assert deleted.wait(60)
        begin(engine, texts)

    monkeypatch.setattr(Engine, "_begin", delete_first)
    monkeypatch.setattr(engine, "TURN", 1)  # whoever waits joins after one token
    with ThreadPoolExecutor(2) as threads:
        other = threads.submit(complete, client, "king", KING[:11], max_tokens=9)
        assert waiting.wait(60)
        body = {"model": "gone", "prompt": "the king", "max_tokens": 9}
        asked = threads.submit(http.post, "/v1/completions", json=body)
        while not http.app.state.engine.waiting:
            sleep(0.01)
        assert http.delete("/v1/memories/gone").status_code == 204
        deleted.set()
        assert other.result().choices[0].text == alone
    assert asked.result().status_code == 404
    assert "was deleted" in asked.result().json()["error"]["message"]


def test_who_gives_up_leaves_the_batch(client, backbone):
    stream = complete(client, "king", "the", max_tokens=40, stream=True)
    next(iter(stream))
    stream.close()
    assert complete(client, "king", KING[:11], max_tokens=11).choices[0].text == KING[11:]


def test_a_text_whose_token_cannot_be_chosen_fails_alone(http, backbone):
    ends = {name: Event() for name in ("good", "bad")}
    found = {name: [] for name in ends}

    def receiver(name):
        def receive(piece):
            found[name].append(piece)
            if isinstance(piece, Exception) or piece.finish is not None:
                ends[name].set()

        return receive

    class Broken(Generated):
        def _sample(self, logits):
            return super()._sample(logits * float("nan"))

    prompt = backbone.prompt(KING[:11])
    texts = [
        kind(backbone.tokenizer, prompt, "king", Sampling(11, temperature), (), receiver(name))
        for kind, name, temperature in ((Generated, "good", 0.0), (Broken, "bad", 1.0))
    ]
    http.app.state.engine.submit(texts)
    assert all(end.wait(60) for end in ends.values())
    assert "".join(piece.text for piece in found["good"]) == KING[11:]
    assert [type(piece) for piece in found["bad"]] == [RuntimeError]


def test_memories_are_made_while_others_are_asked(tmp_path, backbone):
    """Hooks are attached between forward passes: no pass is seen by them in part."""
    with serving(tmp_path, backbone) as http:
        create(http, "first", **KINDS["recalling"])
        client, made = speaking(http), Event()

        def ask(_):
            while not made.is_set():
                complete(client, "first", KING[:11], max_tokens=30, logprobs=1, echo=True)

        def teach(_):
            while not made.is_set():
                assert read(http, KING, name="first")["status"] == "done"

        with ThreadPoolExecutor(3) as threads:
            busy = [threads.submit(work, None) for work in (ask, ask, teach)]
            try:
                for percent in range(12):  # every setting has hooks of its own
                    config = MemoryConfig(output=None, recall=True, dropout=percent / 100)
                    http.app.state.folder.create(f"recall{percent}", config)
                    assert complete(client, f"recall{percent}", KING[:11]).choices
            finally:
                made.set()
            for one in busy:
                one.result()
