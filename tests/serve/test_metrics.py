"""Metrics count requests by route and name tasks, and never a text or a label of a row."""

from tests.serve.conftest import ROWS


def test_metrics_count_requests_and_rows_and_hold_no_text(mail):
    mail.post("/v1/tasks/mail/ask", json={"texts": ["a question of somebody"]})
    mail.get("/v1/tasks/secret-name")
    mail.get("/nowhere/secret-path")
    mail.get("/v1/tasks", headers={"host": "evil.example"})
    answer = mail.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    shown = answer.text
    for line in (
        'faast_requests_total{code="200",route="/v1/tasks/{task}/ask"} 1.0',
        'faast_requests_total{code="404",route="/v1/tasks/{task}"} 1.0',
        'faast_requests_total{code="404",route="none"} 1.0',
        'faast_requests_total{code="421",route="none"} 1.0',
        'faast_rows{task="mail"} 5.0',
        'faast_classes{task="mail"} 3.0',
    ):
        assert line in shown
    size = next(line for line in shown.splitlines() if line.startswith("faast_state_bytes{"))
    assert float(size.split()[-1]) > 1_000
    assert "secret" not in shown
    assert "evil" not in shown
    assert not [text for text, label, source in ROWS if text in shown]
    assert 'refund"' not in shown
