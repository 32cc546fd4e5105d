"""What the OpenAPI document says is so: requests made from it get the answers that it names.

Some seconds, or about a minute with `FAAST_THOROUGH`.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from faast.serve.access.scopes import SCOPES
from faast.serve.page import PAGE_FILES
from tests.serve.conftest import serving, teach

schemathesis = pytest.importorskip("schemathesis")

EXAMPLES = 12 if os.environ.get("FAAST_THOROUGH") else 3
ROUTES = sorted(route for route in SCOPES if route.split()[1] not in PAGE_FILES)
TASKS = {"mail": "texts", "shapes": "numbers"}
schemathesis.checks.load_all_checks()
CHECKS = [
    schemathesis.checks.CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    )
]
MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("tasks")) as client:
        yield client


@pytest.fixture(scope="module")
def schema(client):
    return schemathesis.openapi.from_dict(client.get("/openapi.json").json())


def make_tasks(client):
    """Make the tasks that an earlier request deleted."""
    there = {task["name"] for task in client.get("/v1/tasks").json()["tasks"]}
    for name in TASKS.keys() - there:
        client.post("/v1/tasks", json={"name": name, "kind": TASKS[name]})
    if "mail" not in there:
        teach(client)
    if "shapes" not in there:
        rows = [{"numbers": [n, -n], "label": f"{n % 2}"} for n in range(4)]
        client.post("/v1/tasks/shapes/rows", json={"rows": [*rows, {"numbers": [0, 0]}]})


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("route", ROUTES)
def test_requests_get_the_answers_that_the_document_names(client, schema, route, mode):
    method, path = route.split()
    operation = schema[path][method]
    names = st.sampled_from([*TASKS, None])

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), name=names, number=st.integers(1, 9))
    def send(case, name, number):
        make_tasks(client)
        if name is not None:  # else as the document says, which hits no task
            case.path_parameters |= {
                key: number if key == "row" else name for key in case.path_parameters
            }
        request = case.as_transport_kwargs(base_url=str(client.base_url))
        client.cookies = request.pop("cookies")
        answer = client.request(content=request.pop("data", None), **request)
        case.validate_response(answer, checks=CHECKS)

    send()
