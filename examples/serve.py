"""Make a folder with an example task, to be opened by ``faast serve FOLDER``.

Run ``python examples/serve.py FOLDER``; it needs the extra ``serve``. Without FOLDER a new one is
made. The task has learned questions that a bank receives, one of them with a wrong label, and more
of them wait for a label.
"""

import sys
import tempfile
from pathlib import Path

from faast.serve.tasks.folder import TaskFolder
from faast.serve.tasks.records import NewRow

LEARNED = {
    "card": """I lost my card; my card was stolen on the train; the card never arrived;
        when does my new card come; the machine kept my card; my card is broken;
        please block my card now; how do I unlock the card; where is my refund""",
    "top up": """my top up failed; the top up is still pending; how do I top up from abroad;
        top up by bank transfer; why was my top up refused; can I top up in cash;
        I made a top up twice; is there a fee for a top up""",
    "refund": """how long does a refund take; the shop says the refund was sent;
        I still wait for a refund; the refund is too small; I want my money back;
        my refund shows as pending; a refund was sent to the wrong account""",
}
WAITING = """a card that I did not order came; my refund is less than what I paid;
    the top up went to another account; how do I close my account; can I get a card for my son;
    I was charged twice for one order; please close my account today"""


def texts_of(listed: str) -> list[str]:
    """Return the texts between semicolons."""
    return [" ".join(text.split()) for text in listed.split(";")]


def main(path: Path) -> None:
    """Teach a task the rows above, unless it is there."""
    folder = TaskFolder(path)
    if not folder.tasks:
        rows = [NewRow(text, label) for label, texts in LEARNED.items() for text in texts_of(texts)]
        rows += [NewRow(text) for text in texts_of(WAITING)]
        task = folder.create("questions")
        task.teach(rows)
        print(f"{task.state.n_rows} rows learned, {task.waiting} wait for a label")
    folder.close()
    print(f"open it: faast serve {path}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()))
