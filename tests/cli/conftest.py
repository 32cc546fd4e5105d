"""Commands run in this process, as a shell would run them in a folder."""

import json

import pytest
from typer.testing import CliRunner

from faast.cli.main import app


@pytest.fixture
def run(monkeypatch):
    def run(*arguments, cwd, stdin=None):
        monkeypatch.chdir(cwd)
        return CliRunner().invoke(app, list(map(str, arguments)), input=stdin, prog_name="faast")

    return run


@pytest.fixture
def ran(run):
    def ran(*arguments, cwd, stdin=None):
        done = run(*arguments, cwd=cwd, stdin=stdin)
        assert done.exit_code == 0, done.stderr or done.exception
        return done.stdout

    return ran


@pytest.fixture
def facts(ran):
    def facts(*arguments, cwd, stdin=None):
        return json.loads(ran(*arguments, "--json", cwd=cwd, stdin=stdin))

    return facts
