"""From an empty folder to a downloaded model, as somebody does it who only has the page."""

import subprocess
import sys

import httpx

from tests.serve.browser.conftest import serving

TEXTS = {
    "I lost my card": "card",
    "my card was stolen": "card",
    "a new card please": "card",
    "the card never arrived": "card",
    "my top up failed": "top up",
    "the top up is pending": "top up",
    "how do I top up": "top up",
    "top up by bank transfer": "top up",
}
KEYS = {"card": "1", "top up": "2"}
ASKED = ["where is my card", "top up still pending"]


def shown_text(visitor):
    return visitor.page.locator(".text.large").inner_text()


def test_from_an_empty_folder_to_a_model_that_predicts_the_same(visiting, tmp_path):
    with serving(tmp_path / "tasks") as (address, _):
        visitor = visiting(address, accept_downloads=True)
        visitor.open()
        visitor.page.get_by_label("Name").fill("mail")
        visitor.press("Enter")
        visitor.page.get_by_role("textbox", name="Texts").fill("\n".join(TEXTS))
        visitor.button("Add", exact=True).click()
        visitor.shows("8 rows added. 8 rows wait for a label.")

        visitor.page.get_by_role("link", name="Label", exact=False).first.click()
        _answer_all(visitor)
        visitor.shows("Every row has a label")
        learned = httpx.get(f"{address}v1/tasks/mail/rows").json()["rows"]
        assert {row["text"]: row["label"] for row in learned} == TEXTS

        visitor.press("u")  # the last row waits again
        visitor.page.locator(".answers").wait_for()
        _answer_all(visitor)
        visitor.shows("Every row has a label")

        visitor.page.get_by_role("link", name="Take it away").click()
        with visitor.page.expect_download() as download:
            visitor.button("Download the model").click()
        model = tmp_path / "taken.faast"
        download.value.save_as(model)
        visitor.page.close()
        answers = httpx.post(f"{address}v1/tasks/mail/ask", json={"texts": ASKED}).json()["answers"]

    program = (
        "import faast, sys; model = faast.load(sys.argv[1]); rows = sys.argv[2:];"
        "print(model.predict(rows).tolist(), model.predict_proba(rows).max(axis=1).tolist())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program, str(model), *ASKED],
        capture_output=True,
        text=True,
        check=True,
    )
    labels = [answer["label"] for answer in answers]
    sure = [answer["probability"] for answer in answers]
    assert elsewhere.stdout.strip() == f"{labels} {sure}"
    assert labels == ["card", "top up"]


def _answer_all(visitor):
    """Give each row that is offered its label by a key; the first of a class is written."""
    page = visitor.page
    while True:
        page.locator(".answers").or_(page.get_by_text("Every row has a label")).first.wait_for()
        if not page.locator(".answers").count():
            return
        text = shown_text(visitor)
        label = TEXTS[text]
        key = page.locator(f"button.answer:has(bdi:text-is('{label}')) kbd")
        if key.count():
            visitor.press(key.inner_text())
        else:
            visitor.press("n")
            page.get_by_label("Label", exact=True).fill(label)
            visitor.press("Enter")
        page.wait_for_function(
            "old => document.querySelector('.text.large')?.textContent !== old", arg=text
        )
