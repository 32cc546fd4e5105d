"""What clients see of a task that is deleted while they ask, and of one that is not served."""

from faast.serve.access.tokens import TokenFile
from tests.serve.conftest import serving


def test_a_task_that_is_being_deleted_is_gone_for_its_clients_only(mail, tmp_path):
    mail.post("/v1/tasks", json={"name": "other"})
    (tmp_path / "mail.faast-log").unlink()  # what deleting does first
    listed = mail.get("/v1/tasks")
    assert (listed.status_code, [task["name"] for task in listed.json()["tasks"]]) == (
        200,
        ["other"],
    )
    metrics = mail.get("/metrics")
    assert metrics.status_code == 200
    assert 'faast_rows{task="other"}' in metrics.text
    assert 'faast_rows{task="mail"}' not in metrics.text
    for path in ("rows", "history", "sources"):
        answer = mail.get(f"/v1/tasks/mail/{path}")
        assert (answer.status_code, answer.json()["detail"]) == (404, "the task mail was deleted")


def test_why_a_task_is_not_served_does_not_tell_where_the_folder_is(tmp_path):
    (tmp_path / "mail.faast").write_bytes(b"junk")
    (tmp_path / "log.faast-log").write_bytes(b"junk")
    (tmp_path / "dir.faast-log").mkdir()
    secret = TokenFile(tmp_path).create("desk", "ask")
    with serving(tmp_path) as client:
        headers = {"Authorization": f"Bearer {secret}"}
        unserved = client.get("/v1/tasks", headers=headers).json()["unserved"]
        assert "mail.faast" in unserved["mail"]
        for name, why in unserved.items():
            refused = client.get(f"/v1/tasks/{name}", headers=headers)
            assert (refused.status_code, why in refused.json()["detail"]) == (404, True)
            assert str(tmp_path) not in refused.text + why
