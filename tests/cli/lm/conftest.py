"""A folder with a tiny model and files to learn; nothing is collected without torch."""

import importlib.util
import json

import pytest

if importlib.util.find_spec("torch") and importlib.util.find_spec("transformers"):
    from tests.lm.models import tiny, word_tokenizer
else:
    collect_ignore_glob = ["test_*.py"]

WORDS = "the king sees his horse and queen rides away to Sentiment: Review: film is a good bad one"
LINES = ["the king sees his horse and rides away", "the queen sees the king and rides to his horse"]
PLEASANT = ["the king is a king", "the horse sees a horse", "the queen rides away"]
DULL = ["his queen is away", "and to one is his", "one rides to one"]


@pytest.fixture
def folder(tmp_path):
    model = tiny("llama", intermediate_size=48, num_key_value_heads=2, max_position_embeddings=64)
    model.save_pretrained(tmp_path / "stories")
    word_tokenizer(WORDS).save_pretrained(tmp_path / "stories")
    (tmp_path / "plays.txt").write_text("\n".join(LINES * 12) + "\n")
    reviews = [
        f"{text},{label}"
        for label, texts in zip(("good", "bad"), (PLEASANT, DULL), strict=True)
        for text in texts
    ]
    (tmp_path / "reviews.csv").write_text("\n".join(["text,label", *(reviews * 8)]) + "\n")
    (tmp_path / "new.csv").write_text("text\nthe king is a king\none rides to one\n")
    pairs = [
        {"prompt": line[:18].rsplit(" ", 1)[0], "answer": line[18:].split(" ", 1)[-1]}
        for line in LINES
    ]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, pairs * 10)) + "\n")
    return tmp_path
