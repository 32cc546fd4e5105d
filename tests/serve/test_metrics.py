"""Metrics count requests by route and name tasks, and never a text or a label of a row."""

from faast._version import __version__
from tests.serve.conftest import ROWS, teach


def test_metrics_count_requests_and_rows_and_hold_no_text(mail):
    mail.post("/v1/tasks/mail/ask", json={"texts": ["a question of somebody"]})
    mail.get("/v1/tasks/secret-name")
    mail.get("/nowhere/secret-path")
    mail.request("SECRET", "/nowhere")
    mail.request("SECRET2", "/nowhere")
    mail.get("/v1/tasks", headers={"host": "evil.example"})
    answer = mail.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    shown = answer.text
    for line in (
        'faast_requests_total{code="200",method="POST",route="/v1/tasks/{task}/ask"} 1.0',
        'faast_requests_total{code="404",method="GET",route="/v1/tasks/{task}"} 1.0',
        'faast_requests_total{code="404",method="GET",route="none"} 1.0',
        'faast_requests_total{code="404",method="other",route="none"} 2.0',
        "faast_requests_in_progress 1.0",
        f'faast_build_info{{version="{__version__}"}} 1.0',
        'faast_requests_total{code="421",method="GET",route="none"} 1.0',
        'faast_jobs{status="failed"} 0.0',
        'faast_waiting_rows{task="mail"} 0.0',
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


def counted(client, name):
    shown = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in shown if line.startswith(name))


def test_metrics_count_what_happens_to_rows(mail):
    names = {
        "learned": 'faast_rows_learned_total{task="mail"}',
        "forgotten": 'faast_rows_forgotten_total{task="mail"}',
        "measured": 'faast_rows_measured_total{task="mail"}',
        "novel": 'faast_novel_rows_total{task="mail"}',
        "solved": "faast_solve_seconds_count",
    }
    before = {key: counted(mail, name) for key, name in names.items()}
    teach(mail, [(f"my card number {n} is lost", "card", None) for n in range(120)])
    strange = "the weather in Paris is sunny today"
    question = {"texts": ["my card number 7 is lost", strange], "novelty": True}
    for _ in range(3):
        mail.post("/v1/tasks/mail/ask", json=question)
    mail.post("/v1/tasks/mail/ask", json={"texts": ["not measured"]})
    mail.patch("/v1/tasks/mail/rows/5", json={"label": "money"})  # neither learned nor forgotten
    mail.delete("/v1/tasks/mail/rows/2")
    mail.post("/v1/tasks/mail/undo")
    mail.delete("/v1/tasks/mail/rows/3")
    after = {key: counted(mail, name) - before[key] for key, name in names.items()}
    assert after == {"learned": 121, "forgotten": 2, "measured": 6, "novel": 3, "solved": 1}
