"""Data sets as their publishers lay them out."""

import json
from html import escape

import pytest

from faast.data import DataError
from faast.evaluation.lm.datasets import (
    load_long_icl,
    load_parallel_text,
    load_sentiment,
    load_translations,
    load_wikitext,
)

REVIEWS = [{"text": "so good", "label": "positive"}, {"text": "so bad", "label": "negative"}]


def test_reviews_of_tables_with_any_of_the_usual_labels(tmp_path):
    for name, labels in (("a", "positive negative"), ("b", "1 0"), ("c", "pos neg")):
        good, bad = labels.split()
        column = "sentence" if name == "b" else "text"
        path = tmp_path / f"{name}.tsv"
        path.write_text(f"{column}\tlabel\nso good \t{good}\nso bad\t{bad}\n")
        assert load_sentiment(path) == REVIEWS
    path.write_text("text\tlabel\nso so\tneutral\n")
    with pytest.raises(DataError, match="'neutral' is no sentiment"):
        load_sentiment(path)


def test_reviews_of_the_published_folder(tmp_path):
    for name, text in (("pos", "so good"), ("neg", "so bad")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0_9.txt").write_text(f"{text}\n")
    assert load_sentiment(tmp_path) == REVIEWS[::-1]


def test_datasets_give_the_names_of_their_classes(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    )
    rows = {"sentence": ["so good", "so bad"], "label": [1, 0]}
    parts = datasets.DatasetDict(train=datasets.Dataset.from_dict(rows, features=features))
    assert load_sentiment(parts, split="train") == REVIEWS
    parts.save_to_disk(tmp_path / "sst2")
    assert load_sentiment(tmp_path / "sst2", split="train") == REVIEWS
    with pytest.raises(DataError, match="has the splits train"):
        load_sentiment(parts)


def test_parallel_lines_and_the_files_of_the_campaigns(tmp_path):
    pairs = [{"source": "a dog", "target": "ein Hund"}, {"source": "a <b>", "target": "ein <b>"}]
    for code, lines in (("en", ["a dog", "", "a <b>"]), ("de", ["ein Hund", "nichts", "ein <b>"])):
        (tmp_path / f"x.{code}").write_text("\n".join(lines) + "\n")
        tagged = ["<url>http://x</url>", lines[0], "<talkid>1</talkid>", lines[2]]
        (tmp_path / f"train.tags.en-de.{code}").write_text("\n".join(tagged) + "\n")
        segments = [f'<seg id="{i}"> {escape(line)} </seg>' for i, line in enumerate(lines)]
        xml = ['<?xml version="1.0"?>', "<doc>", "<title>x</title>", *segments, "</doc>"]
        (tmp_path / f"dev.en-de.{code}.xml").write_text("\n".join(xml) + "\n")
    for name in ("x.{}", "train.tags.en-de.{}", "dev.en-de.{}.xml"):
        found = load_parallel_text(tmp_path / name.format("en"), tmp_path / name.format("de"))
        assert found == pairs
    (tmp_path / "y.de").write_text("ein Hund\n")
    with pytest.raises(DataError, match="must translate each other line by line"):
        load_parallel_text(tmp_path / "x.en", tmp_path / "y.de")


def test_translations_of_datasets(tmp_path):
    path = tmp_path / "iwslt.jsonl"
    path.write_text(json.dumps({"translation": {"en": "a dog", "de": "ein Hund"}}) + "\n")
    expected = [{"source": "ein Hund", "target": "a dog"}]
    assert load_translations(path, "de", "en") == expected
    with pytest.raises(DataError, match="none from 'de' to 'fr'"):
        load_translations(path, "de", "fr")


def test_long_prompts_of_a_folder_and_of_datasets(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = {f"{n} Round Prompt": [f"{n} examples"] for n in range(1, 6)} | {"label": ["top_up"]}
    table = datasets.Dataset.from_dict(rows)
    (tmp_path / "data").mkdir()
    table.to_parquet(tmp_path / "data" / "BANKING77-00000-of-00001.parquet")
    expected = [{"prompt": "2 examples", "label": "top_up"}]
    assert load_long_icl(tmp_path, "BANKING77", rounds=2) == expected
    assert load_long_icl(datasets.DatasetDict(BANKING77=table), "BANKING77", rounds=2) == expected
    with pytest.raises(ValueError, match="unknown task 'BANK'; there are GoEmotion"):
        load_long_icl(tmp_path, "BANK")
    with pytest.raises(ValueError, match="rounds must be in"):
        load_long_icl(tmp_path, "BANKING77", rounds=6)


def test_paragraphs_without_the_blank_lines(tmp_path):
    path = tmp_path / "wiki.test.tokens"
    path.write_text(" \n = Title = \n \n A <unk> paragraph . \n")
    assert [row["text"] for row in load_wikitext(path)] == [" = Title = ", " A <unk> paragraph . "]


def test_the_reference_data_load(shared):
    data = shared / "data"
    reviews = load_sentiment(data / "text" / "sst2_validation.csv")
    assert {row["label"] for row in reviews} == {"positive", "negative"}
    assert len(load_sentiment(data / "text" / "imdb_test.csv")) == 2000
