"""Help texts, and where commands are found in the source."""

from importlib.util import find_spec

import pytest

from faast.cli import bench, main

COMMANDS = [command.callback.__name__ for command in main.app.registered_commands]
GROUPS = {group.name for group in main.app.registered_groups}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_file_of_its_name(name):
    assert find_spec(f"faast.cli.{name}") is not None
    command = next(c for c in main.app.registered_commands if c.callback.__name__ == name)
    assert command.callback.__module__ == f"faast.cli.{name}"


def test_every_group_is_in_the_file_or_folder_of_its_name():
    assert all(find_spec(f"faast.cli.{name}") is not None for name in GROUPS)


@pytest.mark.parametrize("arguments", [(), ("bench",)])
def test_summaries_of_commands_are_whole_sentences(tmp_path, ran, arguments):
    summaries = ran(*arguments, "--help", cwd=tmp_path).partition("Commands:")[2]
    listed = [line for line in summaries.splitlines() if line.strip() and " lm " not in line]
    assert len(listed) >= len(bench.COMMANDS)
    for line in listed:
        assert line.endswith(".")
        assert not line.endswith("...")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(tmp_path, ran, name):
    shown = ran(name, "--help", cwd=tmp_path)
    command = main.typer.main.get_command(main.app).commands[name]
    for parameter in command.params:
        assert parameter.help, parameter.name
    assert "Examples:" in shown
