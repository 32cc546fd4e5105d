"""The page loads nothing from elsewhere, runs no inline script, and sets texts as text only."""

import re
from html.parser import HTMLParser

from faast.serve.app import PAGE_FILES


class Elements(HTMLParser):
    """All elements of a page with their attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_the_page_loads_only_files_of_its_own(client):
    elements = Elements(client.get("/").text).found
    loaded = {given[name] for _, given in elements for name in ("src", "href") if name in given}
    assert loaded == {"data:,", "/page.css", "/page.js"}
    for path in PAGE_FILES:
        answer = client.get(path)
        assert answer.status_code == 200
        assert not re.search(r"https?://|@import|innerHTML|outerHTML|eval\(", answer.text)
    assert not [name for _, given in elements for name in given if name.startswith("on")]
    assert all("src" in given for tag, given in elements if tag == "script")


def test_every_field_has_a_label_and_every_element_the_script_uses_exists(client):
    elements = Elements(client.get("/").text).found
    ids = {given["id"] for _, given in elements if "id" in given}
    named = {given["for"] for tag, given in elements if tag == "label"}
    fields = {given["id"] for tag, given in elements if tag in ("input", "select", "textarea")}
    assert fields == named
    used = set(re.findall(r'\$\("(\w+)"\)', client.get("/page.js").text))
    assert used <= ids
    assert ("html", {"lang": "en"}) in elements
