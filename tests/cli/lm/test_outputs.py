"""An output folder that holds something else is refused before the work, and stays as it is."""

import threading
import time

import pytest
import torch

from faast.cli.lm import _model
from faast.core.locking import exclusive
from faast.lm import FaastForCausalLM
from faast.lm.folders import SERVED
from tests.lm.test_folders import content_of

LEARN = ("learn", "stories", "plays.txt", "-o")
FOLD = ("fold", "plays", "-o")
PRETRAIN = ("pretrain", "stories", "plays.txt", "--window", "16", "-o")


@pytest.mark.parametrize(
    ("command", "output", "message"),
    [
        (LEARN, "stories", "stories holds a model"),
        (LEARN, "./stories/", "stories holds a model"),
        (LEARN, "link", "link holds a model"),
        (LEARN, "letters", "letters holds letter.txt"),
        (LEARN, "plays.txt", "plays.txt is a file"),
        (LEARN, "plays.txt/below", "plays.txt is a file"),
        (("learn", "plays", "plays.txt", "-o"), "stories", "stories holds a model"),
        (FOLD, "stories", "stories holds a model"),
        (FOLD, "plays", "plays holds config.json"),
        (FOLD, "letters", "letters holds letter.txt"),
        (PRETRAIN, "stories", "stories holds a model"),
        (PRETRAIN, "plays", "plays holds config.json"),
        ((*PRETRAIN[:-1], "--resume", "-o"), "stories", "no checkpoint to resume"),
    ],
)
def test_outputs_that_hold_something_are_refused(
    folder, ran, run, monkeypatch, command, output, message
):
    ran("lm", "learn", "stories", "plays.txt", "-o", "plays", cwd=folder)
    (folder / "letters").mkdir()
    (folder / "letters" / "letter.txt").write_text("dear reader")
    (folder / "link").symlink_to(folder / "stories")
    before = content_of(folder)
    if "--resume" not in command:  # it needs the model to tell
        monkeypatch.setattr(_model, "validate_device", lambda _: pytest.fail("work began"))
    done = run("lm", *command, output, cwd=folder)
    assert done.exit_code == 1, done.output
    assert message in done.stderr
    assert content_of(folder) == before


def test_a_memory_can_go_on_in_its_own_folder(folder, facts):
    first = facts("lm", "learn", "stories", "plays.txt", "-o", "plays", cwd=folder)
    second = facts("lm", "learn", "plays", "plays.txt", "-o", "plays", cwd=folder)
    assert second["memory_tokens"] == 2 * first["memory_tokens"]


def test_a_memory_is_read_from_another_folder(folder, ran):
    ran("lm", "learn", "stories", "plays.txt", "-o", "plays", cwd=folder)
    (folder / "elsewhere").mkdir()
    ask = ("--prompt", "the king", "--max-new-tokens", "2")
    ran("lm", "generate", folder / "plays", *ask, cwd=folder / "elsewhere")


def test_learning_waits_for_another_command_that_changes_the_memory(folder, run):
    learn = ("lm", "learn", "stories", "plays.txt", "-o", "plays")
    run(*learn, cwd=folder)
    held = threading.Event()

    def hold():
        with exclusive(folder / "plays"):
            held.set()
            time.sleep(1.5)

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    done = run(*learn, cwd=folder)
    other.join()
    assert done.exit_code == 0
    assert "waiting for another process" in done.stderr


def test_a_memory_that_replaces_another_one_says_so(folder, run):
    learn = ("lm", "learn", "stories", "plays.txt", "-o", "plays")
    assert "replaces" not in run(*learn, cwd=folder).stderr
    assert "plays held another memory, which this one replaces" in run(*learn, cwd=folder).stderr
    again = run("lm", "learn", "plays", "plays.txt", "-o", "plays", cwd=folder)
    assert "replaces" not in again.stderr
    exact = ("--memory", "recall")
    for name in ("one", "two"):
        run("lm", "learn", "stories", "plays.txt", "-o", name, *exact, cwd=folder)
    for change in (("merge", "one", "two"), ("forget", "one", "plays.txt")):
        done = run("lm", *change, "-o", "plays", cwd=folder)
        assert "plays held another memory, which this one replaces" in done.stderr, done.output
        assert "replaces" not in run("lm", *change, "-o", "one", cwd=folder).stderr


def test_adapters_of_a_memory_made_in_python_are_kept(folder, run):
    model = FaastForCausalLM.from_base(str(folder / "stories"))
    for name in ("default", "before"):
        with model.use_adapter(name):
            model.learn(torch.arange(8)[None])
    model.save_pretrained(folder / "several")
    run("lm", "learn", "several", "plays.txt", "-o", "several", cwd=folder)
    assert FaastForCausalLM.from_pretrained(folder / "several").adapters == ["before", "default"]


@pytest.mark.parametrize("command", ["learn", "forget"])
def test_memories_of_a_server_are_left_to_it(folder, run, command):
    kept = folder / "memories" / "plays"
    learn = ("--memory", "recall")
    run("lm", "learn", "stories", "plays.txt", "-o", kept, *learn, cwd=folder)
    before = (kept / "memory.safetensors").read_bytes()
    change = ("lm", command, kept, "plays.txt", "-o", kept)
    with exclusive(kept.parent / SERVED):
        refused = run(*change, cwd=folder)
    assert "stop the server first" in refused.stderr
    log = kept.with_name("plays.memory-log")
    log.touch()
    assert "a server has taught this memory" in run(*change, cwd=folder).stderr
    assert (kept / "memory.safetensors").read_bytes() == before


def test_only_a_memory_that_is_there_and_has_learned_the_text_forgets_it(folder, run):
    learn = ("--memory", "recall")
    run("lm", "learn", "stories", "plays.txt", "-o", "plays", *learn, cwd=folder)
    (folder / "other.txt").write_text("one rides to one\n" * 3)
    for memory, text, message in (
        ("plaiys", "plays.txt", "no folder plaiys"),
        ("stories", "plays.txt", "stories holds no memory"),
        ("plays", "other.txt", "as to 'faast lm learn'"),
    ):
        done = run("lm", "forget", memory, text, "-o", "less", cwd=folder)
        assert message in done.stderr
        assert not (folder / "less").exists()
