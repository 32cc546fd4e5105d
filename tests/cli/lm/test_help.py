"""Help texts of `faast lm`, and where its commands are found in the source."""

import pytest
import typer

from faast.cli.lm import app

COMMANDS = typer.main.get_command(app).commands


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_file_of_its_name(name):
    command = next(c for c in app.registered_commands if c.callback.__name__ == name)
    assert command.callback.__module__ == f"faast.cli.lm.{name}"


def test_summaries_of_commands_are_whole_sentences(tmp_path, ran):
    shown = ran("lm", "--help", cwd=tmp_path).partition("Commands:")[2]
    summaries = [line for line in shown.splitlines() if line.strip()]
    assert len(summaries) == len(COMMANDS)
    for line in summaries:
        assert line.endswith(".")
        assert not line.endswith("...")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_and_option_is_explained(name):
    for parameter in COMMANDS[name].params:
        assert parameter.help.endswith("."), parameter.name
