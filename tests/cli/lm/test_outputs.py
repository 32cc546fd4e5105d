"""An output folder that holds something else is refused before the work, and stays as it is."""

import pytest

from faast.cli.lm import _model
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
