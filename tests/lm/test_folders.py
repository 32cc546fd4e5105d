"""Folders: what is read is found at once; what is written replaces nothing that is not ours."""

import hashlib
import os
import socket
import time

import pytest

from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.folders import check_empty_folder, check_memory_folder, resolve_source
from faast.lm.pretraining import paper_arguments, pretrain


def content_of(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def natural(llama, tokens):
    return FaastForCausalLM.from_base(llama).learn(tokens)


def fill(folder, kind, model):
    """Put something into a folder that is not an earlier memory."""
    folder.mkdir()
    if kind == "model":
        model.base.save_pretrained(folder)
    elif kind == "paper":
        paper = FaastForCausalLM.from_base(model.detach(), MemoryConfig.paper(1))
        paper.save_paper_checkpoint(folder)
        paper.detach()
    elif kind == "config":
        (folder / "config.json").write_text('{"model_type": "llama"}')
    elif kind == "weights":
        (folder / "pytorch_model.bin").write_bytes(b"weights")
    elif kind == "letters":
        (folder / "letter.txt").write_text("dear reader")
    elif kind == "other":
        (folder / "memory.safetensors").write_text("something else")


KINDS = ["model", "paper", "config", "weights", "letters", "other"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_never_replaces_what_is_no_memory(natural, tmp_path, kind):
    fill(tmp_path / "out", kind, natural)
    before = content_of(tmp_path / "out")
    damaged = "memory.safetensors, which is damaged or no memory;"
    with pytest.raises(FileExistsError, match=f"holds {damaged if kind == 'other' else ''}"):
        natural.save_pretrained(tmp_path / "out")
    assert content_of(tmp_path / "out") == before


def test_an_earlier_memory_is_replaced_and_notes_stay(natural, tokens, tmp_path):
    natural.save_pretrained(tmp_path / "out")
    (tmp_path / "out" / "README.md").write_text("my memory")
    (tmp_path / "out" / ".memory.safetensors.0123.faast-tmp").write_bytes(b"a killed writer's")
    natural.learn(tokens).save_pretrained(tmp_path / "out")
    again = FaastForCausalLM.from_pretrained(tmp_path / "out", base=natural.detach())
    assert again.memory_size == 2 * tokens[:, 1:].numel()
    assert (tmp_path / "out" / "README.md").read_text() == "my memory"


def test_a_memory_without_its_summary_is_an_earlier_memory(natural, tmp_path):
    natural.save_pretrained(tmp_path / "out")
    (tmp_path / "out" / "config.json").unlink()
    natural.save_pretrained(tmp_path / "out")


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_goes_into_an_empty_folder_only(llama, natural, tmp_path, kind):
    fill(tmp_path / "out", kind, natural)
    paper = FaastForCausalLM.from_base(natural.detach(), MemoryConfig.paper(1))
    before = content_of(tmp_path / "out")
    with pytest.raises(FileExistsError, match="holds"):
        paper.save_paper_checkpoint(tmp_path / "out")
    with pytest.raises(FileExistsError, match="holds"):
        pretrain(paper, [], paper_arguments(tmp_path / "out"))
    assert content_of(tmp_path / "out") == before


@pytest.mark.parametrize("check", [check_memory_folder, check_empty_folder])
def test_a_folder_that_cannot_be_written_is_found_first(tmp_path, monkeypatch, check):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileExistsError, match="is a file"):
        check(tmp_path / "file")
    with pytest.raises(NotADirectoryError, match="is a file"):
        check(tmp_path / "file" / "below")
    check(tmp_path / "new" / "deep")
    assert not (tmp_path / "new").exists()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="no permission"):
        check(tmp_path / "new" / "deep")


# -- where things are read from


@pytest.mark.parametrize(
    "name",
    [
        "./nowhere",
        "~/nowhere",
        "/nowhere",
        "a/b/c",
        "nowhere/",
        "",
        "../x",
        "a\\",
        "q4.gguf",
        "memories/playz",
    ],
)
def test_a_path_that_is_missing_is_an_error_and_no_hub_is_asked(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "memories").mkdir()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("a host was looked up"))
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        FaastForCausalLM.from_base(name)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        FaastForCausalLM.from_pretrained(name)


def test_a_hub_id_stays_and_a_folder_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve_source("owner/name") == "owner/name"
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert resolve_source("owner/name") == str(tmp_path / "owner" / "name")
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileNotFoundError, match=f"looked for .* {tmp_path}/file; Hugging Face"):
        resolve_source("file")


def test_a_name_without_an_owner_is_one_that_was_downloaded_or_that_the_hub_has(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    downloaded = {"gpt2": "/cache/config.json"}
    monkeypatch.setattr(
        "faast.lm.folders.try_to_load_from_cache", lambda name, file: downloaded.get(name)
    )
    monkeypatch.setattr("faast.lm.folders.repo_exists", ["distilgpt2"].__contains__)
    assert resolve_source("gpt2") == "gpt2"
    assert resolve_source("distilgpt2") == "distilgpt2"
    with pytest.raises(FileNotFoundError, match="there is no folder gpt3"):
        resolve_source("gpt3")


def test_a_mistyped_name_is_an_error_at_once_where_there_is_no_network(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("there is no network")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    started = time.monotonic()
    with pytest.raises(FileNotFoundError, match="there is no folder plais"):
        resolve_source("plais")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("loaded", [False, True])
def test_a_memory_finds_its_backbone_from_every_folder(
    llama, tokens, tmp_path, monkeypatch, loaded
):
    llama.save_pretrained(tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    base = type(llama).from_pretrained("base") if loaded else "base"
    FaastForCausalLM.from_base(base).learn(tokens).save_pretrained("memory")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert FaastForCausalLM.from_pretrained("../memory").memory_size
    paper = FaastForCausalLM.from_base("../base", MemoryConfig.paper(1))
    paper.save_paper_checkpoint("paper")
    monkeypatch.chdir(tmp_path)
    FaastForCausalLM.from_pretrained("elsewhere/paper")
    (tmp_path / "base").rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError, match="learned with it: put it back, or give base="):
        FaastForCausalLM.from_pretrained("memory")
    assert FaastForCausalLM.from_pretrained("memory", base="moved").memory_size
