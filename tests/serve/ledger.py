"""What clients were told, and what a task must therefore hold.

Every acknowledgement names the position of its change. Applying the acknowledged requests in the
order of their positions gives the rows that the task must have, and their batch learning its state.
"""

import random
from typing import NamedTuple

import httpx

from faast import TextClassifier
from faast.serve.tasks.state import TaskState
from tests.serve.server import TRUST

ROUTES = {
    "teach": ("POST", "rows", lambda row: {"rows": [row]}),
    "correct": ("PATCH", "rows/{id}", lambda given: {"label": given["label"]}),
    "forget": ("DELETE", "rows/{id}", None),
    "forget source": ("POST", "forget-source", lambda given: given),
    "rename class": ("POST", "classes/rename", lambda given: given),
    "merge classes": ("POST", "classes/merge", lambda given: given),
    "forget class": ("POST", "classes/forget", lambda given: given),
    "undo": ("POST", "undo", None),
    "ask": ("POST", "ask", lambda given: given),
}
CHANGES = [
    *["teach"] * 10,
    *["correct"] * 4,
    *["forget"] * 4,
    *["undo"] * 2,
    *["ask"] * 4,
    "rename class",
    "merge classes",
]
SELDOM = ["forget source", "forget class"]
ALSO = {"teach": "add", "correct": "label"}
"""What the history calls a change of a row that has no label."""

CROWD = 30
"""Rows from which on clients forget more than they teach."""


class Wanted(NamedTuple):
    """A change that a client asks for."""

    kind: str
    given: dict


class Rows:
    """The rows of a task: a plain retelling of what each change means.

    Attributes
    ----------
    rows : dict
        Text, label and source by number; a row whose teaching was never answered has a number of
        its own kind.
    """

    def __init__(self):
        self.rows, self.undoable = {}, []

    def copy(self):
        copied = Rows()
        copied.rows, copied.undoable = dict(self.rows), list(self.undoable)
        return copied

    def apply(self, wanted, position, number=None):
        before = dict(self.rows)
        given = wanted.given
        if wanted.kind == "teach":
            key = ("unanswered", position) if number is None else number
            self.rows[key] = given["text"], given["label"], given["source"]
        elif wanted.kind == "correct":
            text, _, source = self.rows[given["id"]]
            self.rows[given["id"]] = text, given["label"], source
        elif wanted.kind == "forget":
            del self.rows[given["id"]]
        elif wanted.kind in ("rename class", "merge classes"):
            old = given.get("labels", [given.get("label")])
            new = given.get("into", given.get("to"))
            moved = {k: row for k, row in self.rows.items() if row[1] in old}
            self.rows |= {k: (text, new, source) for k, (text, _, source) in moved.items()}
        elif wanted.kind == "forget class":
            self.rows = {k: row for k, row in self.rows.items() if row[1] != given["label"]}
        elif wanted.kind == "forget source":
            self.rows = {k: row for k, row in self.rows.items() if row[2] != given["source"]}
            self.undoable.clear()
            return
        elif wanted.kind == "undo":
            self.rows = self.undoable.pop()
            return
        self.undoable.append(before)

    def state(self):
        """Return the hash of the state that learns these rows at once."""
        return state_of_rows(self.rows)


class Client:
    """One of several clients of a task, with a chance of its own.

    Attributes
    ----------
    acknowledged : dict
        By position: the change that was asked for, and the answer.
    unanswered : Wanted or None
        The change that was asked for when the server was gone.
    """

    def __init__(self, seed, task="mail", kinds=CHANGES):
        self.drawn, self.task, self.kinds = random.Random(seed), task, kinds
        self.name, self.taught = f"client {seed}", 0
        self.acknowledged, self.unanswered = {}, None

    def change(self, http, known):
        """Ask for one change, or for the label of a text; `known` are numbers of rows."""
        wanted = self._draw(known)
        method, path, body = ROUTES[wanted.kind]
        path = f"/v1/tasks/{self.task}/{path.format(**wanted.given)}"
        json = None if body is None else body(wanted.given)
        if wanted.kind != "ask":
            self.unanswered = wanted
        answer = http.request(method, path, json=json)
        self.unanswered = None
        assert answer.status_code in (200, 201, 404, 409), answer.text
        return wanted, answer

    def until_gone(self, address, known):
        """Change the task until the server is gone."""
        with httpx.Client(base_url=address, timeout=60, verify=TRUST) as http:
            while True:
                try:
                    wanted, answer = self.change(http, known)
                except httpx.TransportError:
                    return
                self.note(wanted, answer, known)

    def note(self, wanted, answer, known):
        """Remember an acknowledgement."""
        if wanted.kind == "ask" or not answer.is_success:
            return
        told = answer.json()
        self.acknowledged[told["position"]] = wanted, told
        if wanted.kind == "teach":
            known.extend(told["ids"])

    def _draw(self, known):
        drawn = self.drawn
        kind = drawn.choice(self.kinds)
        number = drawn.choice(known[-CROWD:]) if known else None
        label = f"label {drawn.randrange(5)}"
        if kind == "teach" and len(known) > CROWD and drawn.random() < 0.4:
            kind = "forget"
        if kind == "ask":
            return Wanted("ask", {"texts": [f"text {drawn.randrange(50)}"]})
        if kind == "undo":
            return Wanted("undo", {})
        if kind == "teach" or number is None:
            self.taught += 1
            label = label if drawn.random() < 0.8 else None
            text = f"text {drawn.randrange(50)} by {self.name}, number {self.taught}"
            return Wanted(
                "teach", {"text": text, "label": label, "source": f"s{drawn.randrange(4)}"}
            )
        if drawn.random() < 0.02 and self.kinds is CHANGES:
            kind = drawn.choice(SELDOM)
            of = {"source": f"s{drawn.randrange(4)}"} if "source" in kind else {"label": label}
            return Wanted(kind, of)
        if kind == "rename class":
            return Wanted(kind, {"label": label, "to": f"label {drawn.randrange(5, 9)}"})
        if kind == "merge classes":
            old = [label, f"label {drawn.randrange(5, 9)}"]
            return Wanted(kind, {"labels": old, "into": label})
        return Wanted(kind, {"id": number, "label": label} if kind == "correct" else {"id": number})


def state_of_rows(rows):
    """Return the hash of the state that learns at once those of the rows that have a label."""
    learned = [(text, label) for text, label, _ in rows.values() if label is not None]
    if not learned:
        return TaskState(TextClassifier()).hash
    texts, labels = zip(*learned, strict=True)
    return TaskState(TextClassifier().fit(list(texts), list(labels))).hash


def rows_of(http, task="mail"):
    """Return text, label and source of all rows, by their number."""
    rows, after = {}, 0
    while after is not None:
        given = {"limit": 1000, "after": after}
        found = http.get(f"/v1/tasks/{task}/rows", params=given).json()
        rows |= {row["id"]: (row["text"], row["label"], row["source"]) for row in found["rows"]}
        after = found["next"]
    return rows


def changes_after(http, position, task="mail"):
    """Return the changes after a position, the oldest first."""
    changes, before = [], None
    while True:
        given = {"limit": 1000} | ({} if before is None else {"before": before})
        found = http.get(f"/v1/tasks/{task}/history", params=given).json()
        changes += [change for change in found["changes"] if change["position"] > position]
        before = found["next"]
        if before is None or before <= position:
            return changes[::-1]
