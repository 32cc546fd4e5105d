"""`faast lm inspect` and `faast lm merge`: what memories hold, and memories made one."""

import shutil

import pytest

from faast.core.persistence import load
from faast.lm.memory_folder import read
from faast.lm.saved_count import count_saved_pairs
from tests.cli.lm.conftest import LINES
from tests.lm.models import tiny, word_tokenizer

# window by window, so that rounding is the same in any order of the texts
EXACT = {
    "recall": ("--memory", "recall", "--batch-size", "1"),
    "pseudoinverse": ("--memory", "pseudoinverse", "--batch-size", "1"),
}


def test_a_memory_is_shown_without_its_model(folder, facts, ran):
    learned = facts("lm", "learn", "stories", "plays.txt", "-o", "plays", "--recall", cwd=folder)
    shutil.rmtree(folder / "stories")
    found = facts("lm", "inspect", "plays", cwd=folder)
    assert found["memory_tokens"] == learned["memory_tokens"]
    assert found["kind"] == "natural"
    assert found["recall"] is True
    assert found["base_model"] == str(folder / "stories")
    assert found["file_bytes"] > (folder / "plays" / "memory.safetensors").stat().st_size
    assert found["can_forget"] is False
    assert found["settings"]["output"] == "natural"
    assert "sources" not in found
    shown = ran("lm", "inspect", "plays", cwd=folder)
    assert f"\nmemory tokens  {learned['memory_tokens']}\n" in shown
    assert "output=natural, middle_layers=0" in shown


def test_readouts_that_have_read_nothing_are_shown(folder, facts):
    facts("lm", "pretrain", "stories", "plays.txt", "-o", "readouts", "--window", "16", cwd=folder)
    found = facts("lm", "inspect", "readouts", cwd=folder)
    assert (found["kind"], found["memory_tokens"]) == ("paper", 0)
    assert found["base_model"] == str(folder / "stories")


def test_sources_of_a_memory_that_a_server_taught_are_counted(folder, run, ran):
    pytest.importorskip("fastapi")
    from faast.serve.memories.log import ReadLog, create_log

    kind = EXACT["recall"]
    ran("lm", "learn", "stories", "plays.txt", "-o", "plays", *kind, cwd=folder)
    path = folder / "plays.memory-log"
    create_log(path, read(folder / "plays").config, "start")
    log = ReadLog(path)
    for source in ("eve", "adam", "eve"):
        log.learned(log.add("the king", source, None).id, 3, "state")
    log.close()
    done = run("lm", "inspect", "plays", cwd=folder)
    assert done.stdout.splitlines()[-1].split("  ")[-1] == "adam=1, eve=2"


def test_commands_say_what_of_a_memory_only_the_log_of_a_server_holds(folder, run, ran):
    pytest.importorskip("fastapi")
    from faast.serve.memories.log import ReadLog, create_log

    for name in ("plays", "others"):
        ran("lm", "learn", "stories", "plays.txt", "-o", name, *EXACT["recall"], cwd=folder)
    path, content = folder / "plays.memory-log", read(folder / "plays")
    create_log(path, content.config, content.state_hash)
    commands = (
        ("inspect", "plays"),
        ("perplexity", "plays", "plays.txt"),
        ("merge", "others", "plays", "-o", "merged"),
        ("export", "plays", "-o", "adapter"),
    )
    for command in commands[:3]:
        assert "does not hold yet" not in run("lm", *command, cwd=folder).stderr
    log = ReadLog(path)
    log.learned(log.add("the king", None, None).id, 3, "another state")
    log.close()
    for command in commands:
        done = run("lm", *command, cwd=folder)
        assert "plays does not hold yet what a server taught it last" in done.stderr
    path.write_bytes(b"damaged")
    done = run("lm", "perplexity", "plays", "plays.txt", cwd=folder)
    assert done.exit_code == 0
    assert "plays is read as it is" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    "command",
    [("inspect", "facts"), ("perplexity", "facts", "plays.txt"), ("fold", "facts", "-o", "new")],
)
def test_a_memory_that_a_server_has_not_written_is_not_called_missing(folder, run, command):
    (folder / "facts.memory-log").touch()
    done = run("lm", *command, cwd=folder)
    assert done.exit_code == 1
    assert "has written only facts.memory-log so far" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize("kind", EXACT)
def test_merged_memories_are_as_if_one_had_learned_all(folder, facts, kind):
    (folder / "more.txt").write_text("\n".join(LINES[:1] * 6))
    first = facts("lm", "learn", "stories", "plays.txt", "-o", "one", *EXACT[kind], cwd=folder)
    facts("lm", "learn", "stories", "reviews.csv", "-o", "two", *EXACT[kind], cwd=folder)
    facts("lm", "learn", "stories", "more.txt", "-o", "three", *EXACT[kind], cwd=folder)
    texts = ("plays.txt", "reviews.csv", "more.txt")
    facts("lm", "learn", "stories", *texts, "-o", "all", *EXACT[kind], cwd=folder)
    found = facts("lm", "merge", "one", "two", "three", "-o", "merged", cwd=folder)
    assert found["merged"] == 3
    whole, merged = (load(folder / name / "memory.safetensors") for name in ("all", "merged"))
    mine, theirs = whole.memories["default"], merged.memories["default"]
    assert mine.metadata == theirs.metadata
    assert all((mine.tensors[name] == part).all() for name, part in theirs.tensors.items())
    assert found["memory_tokens"] == count_saved_pairs(mine) > first["memory_tokens"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("natural", "counts"), "natural is of the kind natural, which cannot be merged"),
        (("counts", "exact"), "counts and exact differ in output (None and pseudoinverse)"),
        (("counts", "other"), "other cannot be merged with counts: these memories were learned"),
        (("counts", "absent"), "there is no folder absent"),
        (("counts", "./counts"), "is named twice, and its texts would count twice"),
    ],
)
def test_memories_that_differ_are_not_merged(folder, ran, run, arguments, message):
    model = tiny("llama", hidden_size=16, max_position_embeddings=64)
    model.save_pretrained(folder / "apart")
    word_tokenizer(" ".join(LINES)).save_pretrained(folder / "apart")
    made = {
        "natural": ("stories",),
        "counts": ("stories", *EXACT["recall"]),
        "exact": ("stories", *EXACT["pseudoinverse"], "--recall"),
        "other": ("apart", *EXACT["recall"]),
    }
    for name in set(arguments) & made.keys():
        base, *options = made[name]
        ran("lm", "learn", base, "plays.txt", "-o", name, *options, cwd=folder)
    done = run("lm", "merge", *arguments, "-o", "x", cwd=folder)
    assert done.exit_code == 1, done.output
    assert message in done.stderr
    assert not (folder / "x").exists()
