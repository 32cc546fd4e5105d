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
