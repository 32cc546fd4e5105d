"""A server that cannot write refuses changes, keeps its state and goes on answering."""

import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.serve.conftest import ROWS, state_of, teach

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit of Linux")


def limit_files(server, n_bytes):
    """Let the server write no file beyond a number of bytes, as if the disk were full there."""
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (n_bytes, resource.RLIM_INFINITY))


@contextmanager
def full_disk(server, folder):
    limit_files(server, 0)
    yield
    limit_files(server, resource.RLIM_INFINITY)


@contextmanager
def read_only_folder(server, folder):
    """Let nobody write into the folder, nor into its open files."""
    paths = [folder, *folder.iterdir()]
    try:
        if (
            not shutil.which("chattr")
            or subprocess.run(["chattr", "+i", *paths[1:], folder]).returncode
        ):
            pytest.skip("files cannot be made immutable here")
        yield
    finally:
        subprocess.run(["chattr", "-i", *paths], check=False)


@pytest.mark.parametrize("obstacle", [full_disk, read_only_folder])
def test_what_cannot_be_written_is_refused_and_reading_goes_on(server, tmp_path, obstacle):
    with server.running(tmp_path) as http:
        http.post("/v1/tasks", json={"name": "mail"})
        teach(http)
        before, history = state_of(http), http.get("/v1/tasks/mail/history").json()
        question = {"texts": ["my card was lost"]}
        answer = http.post("/v1/tasks/mail/ask", json=question).json()

        with obstacle(server, tmp_path):
            row = {"text": "refund please", "label": "refund"}
            for refused in (
                http.post("/v1/tasks/mail/rows", json={"rows": [row] * 50}),
                http.patch("/v1/tasks/mail/rows/1", json={"label": "refund"}),
                http.delete("/v1/tasks/mail/rows/1"),
                http.post("/v1/tasks/mail/undo"),
                http.post("/v1/tasks", json={"name": "chat"}),
            ):
                assert refused.status_code == 507, refused.text
                assert refused.headers["content-type"] == "application/problem+json"
            assert "not acknowledged" in http.delete("/v1/tasks/mail/rows/1").json()["detail"]
            assert state_of(http) == before
            assert http.get("/v1/tasks/mail/history").json() == history
            assert http.post("/v1/tasks/mail/ask", json=question).json() == answer
            assert len(http.get("/v1/tasks/mail/rows").json()["rows"]) == len(ROWS)

        teach(http, [("refund please", "refund", None)])
        after = state_of(http)
        assert after != before
    with server.running(tmp_path) as http:
        assert state_of(http) == after
        assert [task["name"] for task in http.get("/v1/tasks").json()["tasks"]] == ["mail"]
