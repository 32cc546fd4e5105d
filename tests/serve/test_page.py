"""The page loads nothing from elsewhere, runs no inline script, and sets texts as text only."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest

from faast.serve.page import PAGE_FILES

SVG = "http://www.w3.org/2000/svg"
"""The name of a namespace; nothing is loaded from there."""


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
    assert loaded == {"data:,", "#main", "#/", "/css/base.css", "/css/parts.css", "/js/app.js"}
    for path in PAGE_FILES:
        answer = client.get(path)
        assert answer.status_code == 200
        assert not re.search(
            r"https?://|@import|innerHTML|outerHTML|eval\(", answer.text.replace(SVG, "")
        )
    assert not [name for _, given in elements for name in given if name.startswith("on")]
    assert all("src" in given for tag, given in elements if tag == "script")


def test_every_module_that_is_imported_is_served(client):
    for address in PAGE_FILES:
        for imported in re.findall(r'from "(.+?)"', client.get(address).text):
            assert urljoin(address, imported) in PAGE_FILES


def test_every_element_of_the_frame_that_the_script_uses_exists(client):
    elements = Elements(client.get("/").text).found
    ids = {given["id"] for _, given in elements if "id" in given}
    used = set(re.findall(r'\$\("(\w+)"\)', client.get("/js/app.js").text))
    assert used <= ids
    assert ("html", {"lang": "en"}) in elements
    assert ("main", {"id": "main", "tabindex": "-1"}) in elements


@pytest.mark.parametrize(
    "path",
    [
        "/js/../../app.py",
        "/js/%2e%2e/%2e%2e/app.py",
        "/page/index.html",
        "/__init__.py",
        "/js//app.js",
    ],
)
def test_no_other_file_is_served(client, path):
    assert client.get(path).status_code == 404
