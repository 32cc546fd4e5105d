"""A real Label Studio teaches a task of `faast serve`, and shows its predictions.

Run ``python -m benchmarks.serve.label_studio --label-studio PROGRAM [--shared FOLDER]``; it writes
results/label_studio.md. PROGRAM is the `label-studio` of a virtual environment of its own, into which
``pip install label-studio==1.23.2`` put it. Both servers run on this machine, in a new folder. The
shared folder holds text/trec_train.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks._lib.paths import DATA, RESULTS
from benchmarks._lib.report import command_line, provenance, write_page
from faast import TextClassifier
from faast.serve.tasks.state import TaskState

ITEMS, ANNOTATIONS = 120, 20
TOKEN = "0" * 40
PASSWORD = "only-for-this-run"
START_SECONDS = 900


class Server:
    """A server on this machine, asked in JSON."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self._headers = {"Content-Type": "application/json", **(headers or {})}

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return what a route answers."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, content, self._headers, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def wait(self, path: str) -> None:
        """Return when a route answers."""
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self.ask("GET", path)
                return
            except (urllib.error.URLError, OSError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[None]:
    """Run a program as long as the context lasts."""
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=stream, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def create_token(folder: Path, scope: str) -> str:
    """Return a new token for the tasks in a folder."""
    command = [sys.executable, "-m", "faast", "serve", "token", "create", scope, "--json"]
    options = ["--scope", scope, "--folder", str(folder)]
    made = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    return str(json.loads(made.stdout)["token"])


@contextmanager
def both_servers(program: str, folder: Path) -> Iterator[tuple[Server, Server]]:
    """Start faast serve and Label Studio."""
    admin = create_token(folder / "tasks", "admin")
    faast = Server(free_port(), {"Authorization": f"Bearer {admin}"})
    studio = Server(free_port(), {"Authorization": f"Token {TOKEN}"})
    with ExitStack() as started:
        port = faast.address.rpartition(":")[2]
        command = [sys.executable, "-m", "faast", "serve", str(folder / "tasks"), "--port", port]
        started.enter_context(running(command, folder / "faast.txt"))
        started.enter_context(
            running(
                [program, "start", "--no-browser", "--port", studio.address.rpartition(":")[2]],
                folder / "label-studio.txt",
                LABEL_STUDIO_BASE_DATA_DIR=str(folder / "label-studio"),
                LABEL_STUDIO_USERNAME="someone@example.org",
                LABEL_STUDIO_PASSWORD=PASSWORD,
                LABEL_STUDIO_USER_TOKEN=TOKEN,
                LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN="true",
                ML_BLOCK_LOCAL_IP="false",  # both servers are on this machine
                SSRF_PROTECTION_ENABLED="false",
                COLLECT_ANALYTICS="false",
            )
        )
        faast.wait("/v2/health/ready")
        studio.wait("/api/version")
        yield faast, studio


class Project:
    """A project of Label Studio that is connected to a task of faast serve."""

    def __init__(
        self, studio: Server, faast: Server, token: str, texts: list[str], labels: list[str]
    ) -> None:
        self.studio, self.faast = studio, faast
        choices = "".join(f'<Choice value="{label}"/>' for label in labels)
        config = (
            '<View><Text name="text" value="$question"/>'
            f'<Choices name="kind" toName="text" choice="single">{choices}</Choices></View>'
        )
        faast.ask("POST", "/v1/tasks", {"name": "questions"})
        self.number = studio.ask(
            "POST", "/api/projects", {"title": "questions", "label_config": config}
        )["id"]
        items = [{"question": text} for text in texts]
        studio.ask("POST", f"/api/projects/{self.number}/import", items)
        address = f"{faast.address}/labelstudio/questions"
        backend = {"project": self.number, "url": address, "title": "faast"}
        password = {
            "auth_method": "BASIC_AUTH",
            "basic_auth_user": "studio",
            "basic_auth_pass": token,
        }
        self.connected = studio.ask("POST", "/api/ml", backend | password)
        (webhook,) = studio.ask("GET", f"/api/webhooks?project={self.number}")
        header = {"headers": {"Authorization": f"Bearer {token}"}}
        studio.ask("PATCH", f"/api/webhooks/{webhook['id']}", header)
        found = studio.ask("GET", f"/api/tasks?project={self.number}&page_size={len(texts)}")
        self.items = sorted(task["id"] for task in found["tasks"])

    def annotate(self, item: int, label: str) -> int:
        """Say which label an item has; return the annotation's number."""
        route = f"/api/tasks/{item}/annotations"
        return int(self.studio.ask("POST", route, {"result": result(label)})["id"])

    def skip(self, item: int) -> None:
        """Say that nobody can tell."""
        route = f"/api/tasks/{item}/annotations"
        self.studio.ask("POST", route, {"result": [], "was_cancelled": True})

    def predict_all(self) -> list[dict[str, Any]]:
        """Let Label Studio fetch predictions for all items; return those of the latest state."""
        everything = {"selectedItems": {"all": True, "excluded": []}}
        route = f"/api/dm/actions?id=retrieve_tasks_predictions&project={self.number}"
        self.studio.ask("POST", route, everything)
        found = self.studio.ask("GET", f"/api/predictions?project={self.number}")
        latest = max(prediction["id"] for prediction in found)
        version = next(one["model_version"] for one in found if one["id"] == latest)
        return [one for one in found if one["model_version"] == version]

    def use_predictions(self, version: str) -> None:
        """Let Label Studio order items by the predictions of a version, doubtful ones first."""
        chosen = {"model_version": version, "sampling": "Uncertainty sampling"}
        self.studio.ask("PATCH", f"/api/projects/{self.number}", chosen)

    def in_order(self) -> list[int]:
        """Return the items as the Data Manager lists them by rising prediction score."""
        view = {"project": self.number, "data": {"ordering": ["tasks:predictions_score"]}}
        number = self.studio.ask("POST", "/api/dm/views", view)["id"]
        route = f"/api/tasks?view={number}&project={self.number}&page_size={len(self.items)}"
        return [task["id"] for task in self.studio.ask("GET", route)["tasks"]]

    def next_item(self) -> int:
        """Return the item that Label Studio gives to whoever labels next."""
        return int(self.studio.ask("GET", f"/api/projects/{self.number}/next")["id"])

    def state(self) -> str:
        """Return the hash of all that the task has learned."""
        return str(self.faast.ask("GET", "/v1/tasks/questions")["state"])


def result(label: str) -> list[dict[str, Any]]:
    """Return the result of an annotation with this label."""
    value = {"choices": [label]}
    return [{"from_name": "kind", "to_name": "text", "type": "choices", "value": value}]


def learned_at_once(rows: dict[int, tuple[str, str]]) -> str:
    """Return the hash of the state that learns these rows in one call."""
    texts, labels = zip(*rows.values(), strict=True)
    return TaskState(TextClassifier().fit(list(texts), list(labels))).hash


def same(project: Project, rows: dict[int, tuple[str, str]]) -> str:
    """Say whether the task is in the state that learns these rows in one call."""
    equal = project.state() == learned_at_once(rows)
    return f"{len(rows)} rows learned, state {project.state()[:12]}, " + (
        "equal to learning them in one call"
        if equal
        else "**other than learning them in one call**"
    )


def yes(holds: bool) -> str:
    """Say whether something holds."""
    return "yes" if holds else "**no**"


def report(program: str, shared: Path, folder: Path) -> list[str]:
    """Do all of it, and return the lines of the page."""
    with (shared / "text" / "trec_train.csv").open(encoding="utf-8") as stream:
        data = list(csv.DictReader(stream))[:ITEMS]
    texts, truth = [row["text"] for row in data], [row["label"] for row in data]
    said = []
    with both_servers(program, folder) as (faast, studio):
        version = studio.ask("GET", "/api/version")["release"]
        token = create_token(folder / "tasks", "teach")
        project = Project(studio, faast, token, texts, sorted(set(truth)))
        state = project.connected["readable_state"]
        said.append(f"{state}, with a token of the scope teach as password.")
        rows: dict[int, tuple[str, str]] = {}
        seconds = []
        for item, text, label in list(zip(project.items, texts, truth, strict=True))[:ANNOTATIONS]:
            before = time.perf_counter()
            rows[project.annotate(item, label)] = text, label
            seconds.append(time.perf_counter() - before)
        said.append(f"{ANNOTATIONS} annotations: {same(project, rows)}.")
        middle = sorted(seconds)[len(seconds) // 2]
        said.append(
            f"Median time of an annotation in Label Studio, with its webhook: {middle:.2f} s."
        )
        first, second, *_ = rows
        studio.ask("PATCH", f"/api/annotations/{first}", {"result": result(truth[1])})
        rows[first] = rows[first][0], truth[1]
        said.append(f"One annotation updated: {same(project, rows)}.")
        studio.ask("DELETE", f"/api/annotations/{second}")
        del rows[second]
        said.append(f"One annotation deleted: {same(project, rows)}.")
        project.skip(project.items[ANNOTATIONS])
        said.append(f"One item skipped: {same(project, rows)}.")
        predictions = project.predict_all()
        scores = {one["task"]: one["score"] for one in predictions}
        named = {one["task"]: one["result"][0]["value"]["choices"][0] for one in predictions}
        later = range(ANNOTATIONS, len(texts))
        right = sum(named[project.items[i]] == truth[i] for i in later)
        said.append(
            f"Predictions fetched by Label Studio: {len(predictions)}, of which "
            f"{right} of the {len(later)} items that were not annotated are right."
        )
        asked = faast.ask("POST", "/v1/tasks/questions/ask", {"texts": texts[-20:]})["answers"]
        shown = [named[item] for item in project.items[-20:]]
        equal = shown == [answer["label"] for answer in asked]
        said.append(f"The predictions are the answers of the task: {yes(equal)}.")
        project.use_predictions(predictions[0]["model_version"])
        ordered = [scores[item] for item in project.in_order()]
        said.append(
            "The Data Manager orders all items by rising prediction score: "
            f"{yes(ordered == sorted(ordered))}, from {ordered[0]:.2f} to {ordered[-1]:.2f}."
        )
        left = [project.items[1], *project.items[ANNOTATIONS + 1 :]]
        open_items = [scores[item] for item in left]
        doubtful = scores[project.next_item()] == min(open_items)
        said.append(
            "With `Uncertainty sampling` the next item is the one of lowest score among those "
            f"without an annotation: {yes(doubtful)}."
        )
        removed = project.items[2]
        studio.ask("DELETE", f"/api/tasks/{removed}")
        del rows[list(rows)[1]]
        said.append(f"One item deleted with its annotation: {same(project, rows)}.")
    return [
        "# A real Label Studio teaches a task",
        "",
        provenance(command_line("serve.label_studio")),
        "",
        f"Label Studio {version} with SQLite and `faast serve` on one machine. All steps go through Label "
        f"Studio's own API: a project of {len(texts)} questions of TREC, connected under "
        "`http://127.0.0.1:PORT/labelstudio/questions`. Label Studio itself tells the task of annotations.",
        "",
        *(f"- {line}" for line in said),
    ]


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label-studio", default="label-studio", metavar="PROGRAM")
    parser.add_argument("--shared", type=Path, default=DATA)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = report(options.label_studio, options.shared, Path(folder))
    write_page(RESULTS / "label_studio.md", lines)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
