"""A browser, and a server of its own process; the tests of this folder skip without them."""

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

if any(find_spec(package) is None for package in ("fastapi", "httpx", "uvicorn")):
    collect_ignore_glob = ["test_*.py"]  # needs the extra serve

NAMES = ("chromium", "chromium-browser", "google-chrome")
LAUNCH = (
    "--no-sandbox",  # continuous integration runs as root
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


@contextmanager
def serving(folder, port=0):
    """Run `faast serve` on a folder; yield its address and process."""
    command = [sys.executable, "-m", "faast", "serve", str(folder), "--port", str(port), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline())["address"], process
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"needs a browser: one of {', '.join(NAMES)}")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=found, args=LAUNCH)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(browser, tmp_path_factory):
    """Address of a server that all tests share, each with tasks of its own."""
    with serving(tmp_path_factory.mktemp("tasks")) as (address, _):
        yield address


class Visitor:
    """Somebody in front of a browser, who opens views and reads what they show."""

    def __init__(self, page, address):
        self.page = page
        self.address = address
        self.problems = []
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, message):
        # what the browser says about a refused script or style, and about failed requests
        if message.type == "error":
            self.problems.append(message.text)

    def open(self, view=""):
        self.open_without_waiting(view)
        self.page.wait_for_selector("main:not([aria-busy]) h1")

    def open_without_waiting(self, view):
        self.page.goto("about:blank")
        self.page.goto(f"{self.address}#/{view}")

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def button(self, name, **options):
        return self.page.get_by_role("button", name=name, **options)

    def shows(self, text):
        """Wait until a text is shown."""
        self.page.get_by_text(text).first.wait_for()

    def serious(self):
        """Return what axe-core finds that is serious."""
        axe = pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python")
        self.page.evaluate(Path(axe.__file__).with_name("axe.min.js").read_text())
        found = self.page.evaluate("axe.run()")["violations"]
        return [
            (problem["id"], [node["html"] for node in problem["nodes"]])
            for problem in found
            if problem["impact"] in ("serious", "critical")
        ]

    def too_wide(self):
        """Return by how many pixels the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.fixture
def visiting(browser):
    """Return a function that gives a new visitor; each has a browser profile of their own."""
    contexts, visitors = [], []

    def visit(address, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        visitors.append(Visitor(context.new_page(), address))
        return visitors[-1]

    yield visit
    for context in contexts:
        context.close()
    assert not [problem for visitor in visitors for problem in visitor.problems]


@pytest.fixture
def visitor(visiting, address):
    return visiting(address)
