"""Several people at once, and a server that goes away."""

from urllib.parse import urlsplit

import httpx

from tests.serve.browser.conftest import serving


def test_two_people_label_at_once_and_nobody_answers_a_row_twice(visiting, address):
    with httpx.Client(base_url=address) as client:
        client.post("/v1/tasks", json={"name": "both"})
        rows = [{"text": "good", "label": "yes"}, {"text": "bad", "label": "no"}]
        rows += [{"text": f"thing {number}"} for number in range(4)]
        client.post("/v1/tasks/both/rows", json={"rows": rows})
        one, other = visiting(address), visiting(address)
        for visitor in (one, other):
            visitor.open("both/label")
            visitor.page.locator(".answers").wait_for()
        same = one.page.locator(".text.large").inner_text()
        assert other.page.locator(".text.large").inner_text() == same
        one.button("yes").click()
        one.shows(f"{same} is yes.")
        other.button("no", exact=False).first.click()
        other.shows("Somebody else has labelled it yes already")
        found = {
            row["text"]: row["label"] for row in client.get("/v1/tasks/both/rows").json()["rows"]
        }
        assert found[same] == "yes"


def test_what_somebody_else_changed_is_announced(visiting, address):
    with httpx.Client(base_url=address) as client:
        client.post("/v1/tasks", json={"name": "watched"})
        client.post("/v1/tasks/watched/rows", json={"rows": [{"text": "a", "label": "first"}]})
        visitor = visiting(address)
        visitor.open("watched/classes")
        client.post("/v1/tasks/watched/rows", json={"rows": [{"text": "b", "label": "second"}]})
        visitor.shows("Somebody else has changed this task.")
        visitor.button("Show the latest").click()
        visitor.page.get_by_role("link", name="second").wait_for()


def test_a_server_that_is_gone_is_said_so_and_comes_back(visiting, tmp_path):
    with serving(tmp_path) as (address, server):
        httpx.post(f"{address}v1/tasks", json={"name": "mail"})
        visitor = visiting(address)
        visitor.open("mail/classes")
        server.terminate()
        server.wait()
        visitor.page.get_by_label("New class").fill("card")
        visitor.button("Add the class").click()
        visitor.page.get_by_role("alert").get_by_text("The server does not answer").wait_for()
    with serving(tmp_path, port=urlsplit(address).port):
        visitor.shows("The server answers again.")
        visitor.button("Add the class").click()
        visitor.page.get_by_role("link", name="card").wait_for()
    visitor.problems.clear()  # that the connection was refused
