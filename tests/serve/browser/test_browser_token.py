"""A server that wants tokens: the page asks for one, and says who it works for."""

import httpx

from faast.serve.access.tokens import Scope, TokenFile
from tests.serve.browser.conftest import serving


def test_the_page_asks_for_a_token_and_uses_it_for_everything(visiting, tmp_path):
    tokens = TokenFile(tmp_path)
    admin = tokens.create("boss", Scope.ADMIN)
    ann = tokens.create("ann", Scope.TEACH)
    with serving(tmp_path) as (address, _):
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {admin}"}) as client:
            client.post("/v1/tasks", json={"name": "mail"}).raise_for_status()
        visitor = visiting(address, accept_downloads=True)
        visitor.open_without_waiting("mail/add")
        field = visitor.page.get_by_label("Token", exact=True)
        field.fill("wrong")
        visitor.press("Enter")
        visitor.shows("This token is not accepted")
        field.fill(ann)
        visitor.press("Enter")
        visitor.shows("Your token: ann, which may teach")
        visitor.page.get_by_role("textbox", name="Texts").fill("one\ntwo")
        visitor.page.get_by_label("Their label (optional)").fill("number")
        visitor.button("Add", exact=True).click()
        visitor.shows("2 rows added.")
        visitor.open("mail/history")
        visitor.shows("by ann")
        visitor.open("mail/take")
        with visitor.page.expect_download() as download:
            visitor.button("Download the model").click()
        assert download.value.path().stat().st_size > 0
        visitor.page.close()
    visitor.problems = [problem for problem in visitor.problems if "401" not in problem]


def test_who_may_only_ask_sees_only_how_to_ask(visiting, tmp_path):
    tokens = TokenFile(tmp_path)
    admin, guest = tokens.create("boss", Scope.ADMIN), tokens.create("guest", Scope.ASK)
    rows = [{"text": text, "label": text.split()[0]} for text in ("red sky", "blue sea")]
    with serving(tmp_path) as (address, _):
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {admin}"}) as client:
            client.post("/v1/tasks", json={"name": "mail"}).raise_for_status()
            client.post("/v1/tasks/mail/rows", json={"rows": rows}).raise_for_status()
        visitor = visiting(address)
        visitor.open_without_waiting("")
        visitor.page.get_by_label("Token", exact=True).fill(guest)
        visitor.press("Enter")
        visitor.page.get_by_role("link", name="mail").click()
        visitor.shows("Give it something new")
        menu = visitor.page.get_by_role("navigation").get_by_role("link")
        assert menu.all_inner_texts() == ["All tasks", "Try it", "Accuracy"]
        visitor.page.close()
    visitor.problems = [problem for problem in visitor.problems if "401" not in problem]
