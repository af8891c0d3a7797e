"""Who may ask the explorer, and what a wrong request is told."""

import pytest
from explored import ask
from PIL import Image
from werkzeug.test import Client

from tfgans.run.explore.server import Application, is_loopback


def test_wrong_requests_are_answered_by_one_line(classes, monkeypatch, caplog):
    client = Client(Application(classes))
    answers = {
        404: client.get("/no/such"),
        405: client.post("/about", json={}),
        400: client.post("/save", data="{", content_type="application/json"),
        500: None,
    }
    monkeypatch.setattr(classes, "save", lambda settings: Image.new("no", (1, 1)))
    answers[500] = client.post("/save", json={"seed": "1"})
    for code, answer in answers.items():
        assert answer.status_code == code and answer.text.count("\n") == 1 and "Traceback" not in answer.text
    deep = client.post("/save", data="[" * 16_000, content_type="application/json")
    assert (deep.status_code, deep.text) == (400, "what to save is nested too deeply\n")
    for given in ([], {"seed": 1}, "seed"):
        assert client.post("/save", json=given).status_code == 400
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["/save"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8765", "127.8.8.8", "[::1]:9", "LOCALHOST:1"])
def test_this_machine_may_ask(classes, host):
    assert ask(classes, "/about", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8765", "10.0.0.1", ""]
)
def test_a_name_that_was_made_to_lead_here_is_refused(classes, host):
    for path in ("/", "/about", "/picture?seed=1", "/saved"):
        assert ask(classes, path, headers={"Host": host}).status_code in (400, 403)
    assert Client(Application(classes)).post("/save", json={}, headers={"Host": host}).status_code in (
        400,
        403,
    )


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "http://localhost:8765"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://localhost:9999"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://["}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Content-Type": "text/plain"}, False),
        ({"Content-Type": "application/x-www-form-urlencoded"}, False),
    ],
)
def test_pages_of_elsewhere_cannot_save(classes, tmp_path, monkeypatch, headers, allowed):
    monkeypatch.setattr(classes, "folder", tmp_path)
    headers = {"Host": "localhost:8765", "Content-Type": "application/json"} | headers
    answer = Client(Application(classes)).post("/save", data='{"seed": "1"}', headers=headers)
    assert answer.status_code == (200 if allowed else 403)
    assert (tmp_path / "explored").exists() == allowed


def test_others_need_the_token(classes):
    application = Application(classes, "secret")
    asked = {"headers": {"Host": "10.0.0.1:8765"}}
    for path in ("/", "/about", "/picture?seed=1", "/?token=", "/?token=secre", "/?token=\u00e9"):
        answer = Client(application).get(path, **asked)
        assert answer.status_code == 403 and "token" in answer.text
    assert Client(application).post("/save", json={"seed": "1"}, **asked).status_code == 403
    client = Client(application)
    answer = client.get("/?token=secret", **asked)
    cookie = answer.headers["Set-Cookie"]
    assert answer.status_code == 200 and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert (
        client.get("/about", headers={"Host": "10.0.0.1:8765", "Cookie": cookie.split(";")[0]}).status_code
        == 200
    )
    wrong = {"Host": "10.0.0.1:8765", "Cookie": cookie.split("=")[0] + "=x"}
    assert Client(application).get("/about", headers=wrong).status_code == 403


def test_the_page_takes_nothing_from_elsewhere(classes):
    answer = ask(classes, "/")
    assert (
        answer.mimetype == "text/html" and "default-src 'none'" in answer.headers["Content-Security-Policy"]
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        answer = ask(classes, f"/{name}")
        assert answer.mimetype == kind and "//" not in answer.text.replace("// ", "")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.1", True), ("127.3.2.1", True), ("::1", True), ("0.0.0.0", False), ("::", False),
     ("10.0.0.1", False), ("my.machine", False), ("", False)],
)  # fmt: skip
def test_what_only_this_machine_can_reach(host, loopback):
    assert is_loopback(host) == loopback
