"""`faast lm` as a shell runs it: files in, memories and answers out."""

import json
import shlex

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from faast.cli.lm import app
from faast.cli.lm._options import EXAMPLES, SENTIMENT

TEMPLATES = shlex.split(SENTIMENT)


def test_every_example_of_the_help_runs(folder, ran):
    pytest.importorskip("sacrebleu")
    for command, examples in EXAMPLES.items():
        shown = ran("lm", command, "--help", cwd=folder)
        for example in examples:
            assert f"  $ {example}\n" in shown
            if command == "serve":  # runs until Ctrl-C; tested by itself
                continue
            piped, _, called = example.rpartition(" | ")
            stdin = (folder / piped.removeprefix("cat ")).read_text() if piped else None
            ran(*shlex.split(called)[1:], cwd=folder, stdin=stdin)
    assert {command.callback.__name__ for command in app.registered_commands} == set(EXAMPLES)


def test_a_learned_text_is_less_perplexing_and_so_is_the_folded_model(folder, facts):
    frozen = facts("lm", "perplexity", "stories", "plays.txt", cwd=folder)
    learned = facts("lm", "learn", "stories", "plays.txt", "-o", "plays", cwd=folder)
    assert learned["tokens"] == frozen["tokens"]
    assert learned["learned_tokens"] == learned["tokens"] - learned["windows"]
    after = facts("lm", "perplexity", "plays", "plays.txt", cwd=folder)
    assert after["perplexity"] < 0.7 * frozen["perplexity"]
    assert after["learned_tokens"] == learned["learned_tokens"]
    folded = facts("lm", "fold", "plays", "-o", "folded", cwd=folder)
    assert folded["architecture"] == "LlamaForCausalLM"
    plain = facts("lm", "perplexity", "folded", "plays.txt", cwd=folder)
    assert plain["perplexity"] == pytest.approx(after["perplexity"], rel=1e-4)


def test_learning_goes_on_from_a_memory(folder, facts):
    first = facts("lm", "learn", "stories", "plays.txt", "-o", "one", cwd=folder)
    second = facts("lm", "learn", "one", "plays.txt", "-o", "two", cwd=folder)
    assert second["memory_tokens"] == 2 * first["memory_tokens"]


def test_reviews_are_classified_as_they_were_labelled(folder, facts):
    facts("lm", "learn", "stories", "reviews.csv", "-o", "critic", *TEMPLATES, cwd=folder)
    found = facts("lm", "classify", "critic", "reviews.csv", *TEMPLATES, cwd=folder)
    assert found["choices"] == ["bad", "good"]
    assert found["rows"] == len(found["labels"]) == 48
    assert found["accuracy"] >= 0.9


@pytest.mark.parametrize("kind", ["pseudoinverse", "paper"])
def test_other_kinds_of_memory_are_kept(folder, facts, kind):
    texts = ("stories", "plays.txt", "-o", "plays", "--memory", kind)
    learned = facts("lm", "learn", *texts, cwd=folder)
    again = facts("lm", "perplexity", "plays", "plays.txt", cwd=folder)
    assert again["learned_tokens"] == learned["learned_tokens"]


def test_unlabelled_rows_are_classified_among_named_choices(folder, ran, run):
    ran("lm", "learn", "stories", "reviews.csv", "-o", "critic", *TEMPLATES, cwd=folder)
    named = ["--choice", "good", "--choice", "bad"]
    said = ran("lm", "classify", "critic", "new.csv", *TEMPLATES, *named, cwd=folder)
    header, *rows = said.splitlines()
    assert header == "label,probability"
    assert [row.partition(",")[0] for row in rows] == ["good", "bad"]
    done = run("lm", "classify", "critic", "new.csv", *TEMPLATES, cwd=folder)
    assert "name the choices with --choice" in done.stderr


@pytest.mark.filterwarnings("always::UserWarning")
def test_prompts_that_are_cut_are_told_of(folder, run):
    asked = ("--prompt", "the king " * 40, "--max-new-tokens", "4")
    done = run("lm", "generate", "stories", *asked, cwd=folder)
    assert done.exit_code == 0, done.stderr
    assert "\nwarning: 1 of 1 prompts are longer than the" in f"\n{done.stderr}"
    assert "prompting.py" not in done.stderr


def test_answers_are_generated_and_scored(folder, facts, ran):
    pytest.importorskip("sacrebleu")
    ran("lm", "learn", "stories", "questions.jsonl", "-o", "answers", cwd=folder)
    ask = ["questions.jsonl", "--max-new-tokens", "8"]
    before = facts("lm", "generate", "stories", *ask, cwd=folder)
    after = facts("lm", "generate", "answers", *ask, cwd=folder)
    assert len(after["texts"]) == 20
    assert after["bleu"] > before["bleu"] + 10
    assert after["exact_match"] >= 0.5
    shown = ran("lm", "generate", "answers", *ask, cwd=folder)
    assert shown.splitlines() == ["text", *after["texts"]]


def test_chats_teach_the_assistants_turns(folder, facts):
    tokenizer = AutoTokenizer.from_pretrained(folder / "stories")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} </s> {% endfor %}"
    tokenizer.save_pretrained(folder / "stories")
    chat = [
        {"role": "user", "content": "the king sees"},
        {"role": "assistant", "content": "his horse"},
    ]
    (folder / "chats.jsonl").write_text(json.dumps({"messages": chat}) + "\n")
    learned = facts("lm", "learn", "stories", "chats.jsonl", "-o", "chatty", cwd=folder)
    assert learned["tokens"] == 7
    assert learned["learned_tokens"] == 3


def test_an_empty_prompt_is_continued_from_the_beginning(folder, facts):
    settings = ("--max-new-tokens", "4")
    (text,) = facts("lm", "generate", "stories", "--prompt", "", *settings, cwd=folder)["texts"]
    (folder / "empty.csv").write_text('prompt\n""\nthe king\n')
    found = facts("lm", "generate", "stories", "empty.csv", *settings, cwd=folder)
    assert found["texts"][0] == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("learn", "./nowhere", "plays.txt", "-o", "x"), "there is no folder ./nowhere"),
        (("learn", "stories", "plays.txt", "-o", "x/plays.v1"), "so that it can be served by its"),
        (
            ("learn", "stories", "plays.txt", "-o", "x/-plays"),
            "a memory is named in letters a to z",
        ),
        (("learn", "storys", "plays.txt", "-o", "x"), "there is no folder storys of a model or a"),
        (("perplexity", "playz", "plays.txt"), "there is no folder playz of a model or a memory"),
        (("generate", "playz", "--prompt", "a"), "there is no folder playz"),
        (
            ("generate", "plays", "--prompt", "a", "--answer", "b"),
            "--answer and --split are for DATA",
        ),
        (("classify", "playz", "reviews.csv", *TEMPLATES), "there is no folder playz"),
        (("pretrain", "storys", "plays.txt", "-o", "x"), "there is no folder storys of a model"),
        (("serve", "y", "--base", "storys", "--port", "0"), "there is no folder storys of a model"),
        (("fold", "playz", "-o", "x"), "there is no folder playz"),
        (("forget", "playz", "plays.txt", "-o", "x"), "there is no folder playz"),
        (("export", "counts", "-o", "x", "--base", "storys"), "there is no folder storys of a mod"),
        (("learn", "stories", "absent.txt", "-o", "x"), "cannot read absent.txt"),
        (("learn", "stories", "absent.csv", "-o", "x"), "there is no file absent.csv"),
        (("learn", "stories", "noext", "-o", "x"), ".npz, .txt, .md; rename it"),
        (("generate", "stories", "noext"), ".npz, .txt; rename it"),
        (("learn", "stories", "reviews.csv", "-o", "x", "--prompt", "{text}"), "go together"),
        (("learn", "stories", "wide.csv", "-o", "x"), "the columns are a, b; expected messages"),
        (("learn", "stories", "chat.jsonl", "-o", "x"), "chat.jsonl, line 1: the tokenizer has no"),
        (("learn", "stories", "gap.jsonl", "-o", "x"), "gap.jsonl, line 2: 'answer' has no value"),
        (("learn", "stories", "odd.csv", "-o", "x"), "odd.csv, line 3: the text is empty"),
        (("learn", "stories", "latin.txt", "-o", "x"), "latin.txt: the text is not valid"),
        (("learn", "stories", "plays.txt", "-o", "x", "--window", "65"), "the model has 64 pos"),
        (("learn", "stories", "plays.txt", "-o", "x", "--device", "moon"), "'moon' cannot be used"),
        (("learn", "stories", "reviews.csv", "-o", "x", "--prompt", "{", "--answer", "a"), "brace"),
        (("learn", "plays", "plays.txt", "-o", "x", "--memory", "paper"), "settings of its own"),
        (("learn", "stories", "zeros.txt", "-o", "x"), "zeros.txt holds zero bytes, which no text"),
        (("perplexity", "stories", "paper.txt"), "paper.txt is a PDF document; save its text as"),
        (("learn", "stories", "photo.txt", "-o", "x"), "photo.txt is a picture, not text"),
        (("perplexity", "stories", "tables"), "the folder tables holds no text files (.txt, .md)"),
        (("learn", "stories", "-", "-o", "x"), "standard input: the text is empty"),
        (("perplexity", "stories", "short.txt"), "less than one window of 64"),
        (("generate", "stories"), "nothing to continue: name DATA"),
        (("generate", "stories", "--prompt", "a", "--max-new-tokens", "64"), "leave no room"),
        (("classify", "stories", "new.csv"), "has no column 'prompt'"),
        (("generate", "stories", "gap.jsonl"), "gap.jsonl, line 2: 'answer' has no value"),
        (("generate", "stories", "hole.jsonl"), "hole.jsonl, line 2: 'prompt' has no value"),
        (
            ("classify", "stories", "new.csv", "--prompt", "{text}", "--answer", "a"),
            "must hold one column",
        ),
        (("fold", "stories", "-o", "x"), "stories holds no memory"),
        (("export", "plain", "-o", "x"), "there is no folder plain; name the folder of a memory"),
        (("forget", "stories", "plays.txt", "-o", "x"), "stories holds no memory"),
        (("inspect", "stories"), "stories holds no memory"),
        (("inspect", "plain"), "there is no folder plain"),
        (("fold", "paper", "-o", "x"), "on the command line --memory natural, can be folded"),
        (("fold", "counts", "-o", "x"), "on the command line without --recall"),
        (("export", "counts", "-o", "x"), "on the command line without --recall"),
        (("forget", "plays", "plays.txt", "-o", "x"), "cannot forget a single text"),
        (("forget", "counts", "short.txt", "-o", "x"), "has not learned all of these texts"),
        (("perplexity", "stories", "plays.txt", "--base", "stories"), "a model, not a memory"),
        (("perplexity", "owner/absent", "plays.txt"), "there is no folder owner/absent, and Hugg"),
    ],
)
def test_failures_are_one_line_and_write_nothing(folder, ran, run, arguments, message):
    (folder / "noext").write_text("the king")
    (folder / "wide.csv").write_text("a,b\n1,2\n")
    (folder / "chat.jsonl").write_text('{"messages": [{"role": "assistant", "content": "a"}]}\n')
    (folder / "gap.jsonl").write_text(
        '{"prompt": "a", "answer": "good"}\n{"prompt": "a", "answer": null}\n'
    )
    (folder / "hole.jsonl").write_text('{"prompt": "a"}\n{"prompt": null}\n')
    (folder / "odd.csv").write_text('text\ngood\n" "\n')
    (folder / "latin.txt").write_bytes("König".encode("latin1"))
    (folder / "zeros.txt").write_bytes(b"the king\0 \xff\0\n")
    (folder / "paper.txt").write_bytes(b"%PDF-1.7\n\xe2\xe3")
    (folder / "photo.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    (folder / "tables").mkdir()
    (folder / "tables" / "a.csv").write_text("text\nthe king\n")
    (folder / "short.txt").write_text("the king\n")
    kinds = {"plays": ("natural",), "paper": ("paper",), "counts": ("recall",)}
    if kind := kinds.get(arguments[1]):
        texts = ("stories", "plays.txt", "-o", arguments[1], "--memory", *kind)
        ran("lm", "learn", *texts, cwd=folder)
    if arguments[0] == "serve":
        pytest.importorskip("uvicorn")
    done = run("lm", *arguments, cwd=folder)
    assert done.exit_code == 1, done.output
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
    assert not (folder / "x").exists()


def test_a_folded_model_needs_nothing_of_ours(folder, ran):
    ran("lm", "learn", "stories", "plays.txt", "-o", "plays", cwd=folder)
    ran("lm", "fold", "plays", "-o", "folded", cwd=folder)
    plain = AutoModelForCausalLM.from_pretrained(folder / "folded")
    tokens = AutoTokenizer.from_pretrained(folder / "folded")("the king", return_tensors="pt")
    assert plain(**tokens).logits.shape[-1] == 97
