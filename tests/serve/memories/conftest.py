"""A tiny random model with a tokenizer of words, memories of it, and OpenAI's own client."""

from contextlib import contextmanager
from importlib.util import find_spec

import pytest

NEEDED = ("torch", "transformers", "fastapi", "httpx", "openai")

if any(find_spec(package) is None for package in NEEDED):
    collect_ignore_glob = ["test_*.py"]  # needs the extras lm and serve, and the client
else:
    import openai
    import torch
    from starlette.testclient import TestClient

    from faast.lm import FaastForCausalLM, MemoryConfig
    from faast.lm.documents import text_document
    from faast.serve.memories.app import create_memory_app
    from faast.serve.memories.backbone import ServedBackbone
    from tests.lm.models import tiny, word_tokenizer

    torch.set_num_threads(1)

WORDS = "the king of york was here and a queen saw him in his castle now user assistant : system"
KING = "the king of york was here and a queen saw him in his castle"
QUEEN = "a queen of york was in the castle and his king saw him now"
TALK = "system : the king user : of york assistant :"
READINGS = 64
"""So often a model of random weights reads a sentence until it writes it."""
CHAT = (
    "{% for m in messages %}{{ m['role'] }} : {{ m['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}assistant : the king of{% endif %}"
)


@pytest.fixture(scope="session")
def stories(tmp_path_factory):
    """Return the folder of a model that has learned nothing but its random weights."""
    folder = tmp_path_factory.mktemp("models") / "stories"
    model = tiny("llama", intermediate_size=48, max_position_embeddings=64)
    model.save_pretrained(folder)
    word_tokenizer(WORDS).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def backbone(stories):
    return ServedBackbone.load(stories)


@pytest.fixture(scope="session")
def written(stories, tmp_path_factory):
    """Return a folder of memories as `faast lm learn` writes them."""
    folder = tmp_path_factory.mktemp("written")
    tokenizer = word_tokenizer(WORDS)
    kinds = {
        "king": ([KING, f"{TALK} {KING}"], MemoryConfig(recall=True)),
        "queen": ([QUEEN], MemoryConfig(output=None, recall=True)),
        "both": ([f"{KING} {QUEEN}"], MemoryConfig("pseudoinverse", alpha=0.8, interpolation=0.5)),
    }
    for name, (texts, config) in kinds.items():
        model = FaastForCausalLM.from_base(str(stories), config)
        documents = [text_document(tokenizer, text).tokens[None] for text in texts]
        for _ in range(READINGS):
            for tokens in documents:
                model.learn(tokens)
        model.save_pretrained(folder / name)
    return folder


@contextmanager
def serving(folder, backbone):
    """Serve a folder, and yield a client without a network."""
    app = create_memory_app(folder, backbone)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture(scope="session")
def http(written, backbone):
    with serving(written, backbone) as client:
        yield client


@pytest.fixture
def client(http):
    return speaking(http)


def speaking(http, key="none"):
    """Return OpenAI's client of a server."""
    address = f"{str(http.base_url).rstrip('/')}/v1"
    return openai.OpenAI(base_url=address, api_key=key, http_client=http, max_retries=0)
