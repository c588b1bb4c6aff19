"""`slipway instances …` against a small HTTP server that answers as the API does."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import app

ID = "0198c0de-0000-7000-8000-000000000001"
ROW = {"id": ID, "slug": "acme", "deployment_type": "dedicated", "tier": "starter", "status": "deploying",
       "phase": "running", "attention": "awaiting_operator", "status_message": "Step 1/7: Setting up VPS"}  # fmt: skip
REFUSED = {"success": False, "error": "Nothing waits for a decision", "code": "CONFLICT", "statusCode": 409}


class Portal:
    """Replies by "METHOD /path"; what was asked is kept."""

    def __init__(self) -> None:
        self.replies: dict[str, list[tuple[int, Any]]] = {}
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.answer("POST /api/auth/login", 200, {"access_token": "signed-in"})
        portal = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                portal.asked.append((f"{self.command} {self.path}", dict(self.headers), body))
                waiting = portal.replies[f"{self.command} {self.path.partition('?')[0]}"]
                status, reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                content = reply if isinstance(reply, str) else json.dumps(reply)
                self.send_response(status)
                kind = "text/event-stream" if isinstance(reply, str) else "application/json"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content.encode())))
                self.end_headers()
                self.wfile.write(content.encode())

            do_POST = do_DELETE = do_GET

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, what: str, status: int, reply: Any) -> None:
        self.replies.setdefault(what, []).append((status, reply))

    def requests(self, what: str) -> list[tuple[dict[str, str], Any]]:
        return [(headers, body) for asked, headers, body in self.asked if asked.startswith(what)]


@pytest.fixture
def portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    state = tmp_path / "state"
    state.mkdir()
    for name in ("SLIPWAY_API", "SLIPWAY_TOKEN", "SLIPWAY_USERNAME", "SLIPWAY_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLIPWAY_STATE_DIR", str(state))
    monkeypatch.setenv("COLUMNS", "200")
    made = Portal()
    up = {"api": made.address, "username": "admin", "password": "one-time"}
    (state / "up.json").write_text(json.dumps(up))
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def slipway(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


class TestSignIn:
    def test_uses_the_running_stack_and_keeps_the_token_private(self, portal: Portal, tmp_path: Path) -> None:
        portal.answer("GET /api/portal/instances", 200, {"instances": [ROW]})
        for _ in range(2):
            assert slipway("instances", "list").exit_code == 0
        assert [body for _, body in portal.requests("POST /api/auth/login")] == [
            {"username": "admin", "password": "one-time"}
        ]
        assert portal.requests("GET")[1][0]["Authorization"] == "Bearer signed-in"
        assert (tmp_path / "state" / "cli.json").stat().st_mode & 0o777 == 0o600

    def test_a_token_that_ran_out_is_renewed_once(self, portal: Portal) -> None:
        portal.answer("GET /api/portal/instances", 401, {"error": "The token has expired", "code": "UNAUTHORIZED"})
        portal.answer("GET /api/portal/instances", 200, {"instances": []})
        done = slipway("instances", "list")
        assert (done.exit_code, "nothing there" in done.output) == (0, True)
        assert len(portal.requests("POST /api/auth/login")) == 2

    def test_a_given_token_is_never_replaced(self, portal: Portal) -> None:
        portal.answer("GET /api/portal/instances", 401, {"error": "The token is not valid", "code": "UNAUTHORIZED"})
        done = slipway("--token", "mine", "instances", "list")
        assert done.exit_code == 4
        assert "The token is not valid [UNAUTHORIZED]" in done.output
        assert portal.requests("POST /api/auth/login") == []

    def test_without_any_sign_in_says_how(self, portal: Portal, tmp_path: Path) -> None:
        (tmp_path / "state" / "up.json").unlink()
        done = slipway("--api", portal.address, "instances", "list")
        assert (done.exit_code, "Not signed in" in done.output) == (4, True)

    def test_nobody_there_is_a_status_of_its_own(self, portal: Portal) -> None:
        done = slipway("--api", "http://127.0.0.1:9", "--token", "x", "instances", "list")
        assert done.exit_code == 3
        assert "Nobody answers at http://127.0.0.1:9" in done.output


class TestReading:
    def test_lists_as_a_table_and_as_json(self, portal: Portal) -> None:
        portal.answer("GET /api/portal/instances", 200, {"instances": [ROW]})
        assert re.search(r"acme\s+dedicated\s+starter\s+deploying", slipway("instances", "list").output)
        done = slipway("instances", "list", "--status", "deploying", "--json")
        assert json.loads(done.output)["instances"][0]["id"] == ID
        assert "status=deploying" in portal.asked[-1][0]

    def test_shows_one_by_its_slug(self, portal: Portal) -> None:
        portal.answer("GET /api/portal/instances", 200, {"instances": [{"id": "other", "slug": "acme-two"}, ROW]})
        step = {"number": 1, "name": "set_up_server", "state": "parked", "seconds": 12.5, "attempt": 2}
        portal.answer(f"GET /api/portal/instances/{ID}/status", 200, {**ROW, "steps": [step]})
        done = slipway("instances", "show", "acme")
        assert re.search(r"1\s+set_up_server\s+parked\s+12\.5\s+2", done.output)

    def test_an_unknown_slug_is_a_sentence(self, portal: Portal) -> None:
        portal.answer("GET /api/portal/instances", 200, {"instances": []})
        done = slipway("instances", "show", "nobody")
        assert (done.exit_code, "no instance with the slug nobody" in done.output) == (1, True)

    def test_logs_are_read_to_their_end_page_by_page(self, portal: Portal) -> None:
        path = f"GET /api/portal/instances/{ID}/logs"
        for position in (1, 2):
            line = {"timestamp": "2026-01-01T10:20:30Z", "message": f"line {position}", "position": position}
            portal.answer(path, 200, {"logs": [line]})
        portal.answer(path, 200, {"logs": []})
        done = slipway("instances", "logs", ID)
        assert [line.split()[-1] for line in done.output.splitlines()] == ["1", "2"]
        assert "after=2" in portal.asked[-1][0]

    def test_attention_lists_what_waits(self, portal: Portal) -> None:
        item = {"slug": "acme", "step": "run_migrations", "trouble": "CommandFailed", "message": "no such column"}
        portal.answer("GET /api/operator/attention", 200, {"items": [item]})
        assert "no such column" in slipway("attention").output

    def test_attention_names_what_each_item_is_about_by_its_id(self, portal: Portal) -> None:
        items: list[dict[str, Any]] = [
            {"slug": "acme/bakery.nl", "kind": "waits_for_operator", "job_id": "job-1", "order_id": "order-1"},
            {"slug": "bakery.nl", "kind": "zone_change_failed", "zone_id": "zone-1", "change_id": "change-1"},
            {"slug": "sweep", "kind": "workflow_task_failing"},
        ]
        portal.answer("GET /api/operator/attention", 200, {"items": items})
        output = slipway("attention").output
        assert "job-1" in output
        assert "zone-1" in output
        assert "order-1" not in output

    def test_attention_says_which_part_could_not_be_asked(self, portal: Portal) -> None:
        away = {"answered": False, "message": "Temporal does not answer."}
        portal.answer("GET /api/operator/attention", 200, {"items": [], "temporal": away})
        assert "Temporal does not answer." in slipway("attention").output


class TestFollowing:
    def stream(self, *events: tuple[str, int, dict[str, Any]]) -> str:
        return "".join(f"event: {kind}\nid: {at}\ndata: {json.dumps(data)}\n\n" for kind, at, data in events)

    @pytest.mark.parametrize(("phase", "status"), [("active", 0), ("rolled_back", 1)])
    def test_takes_a_broken_stream_up_again_and_ends_with_the_run(
        self, portal: Portal, phase: str, status: int
    ) -> None:
        path = f"GET /api/portal/instances/{ID}/events"
        portal.answer(path, 200, ": beat\n\n" + self.stream(("log", 7, {"message": "Docker installed"})))
        portal.answer(path, 200, self.stream(("step", 8, {"name": "activate", "state": "done"}), ("end", 9, {})))
        portal.answer(f"GET /api/portal/instances/{ID}/status", 200, {**ROW, "phase": phase})
        done = slipway("instances", "logs", "-f", ID)
        assert done.exit_code == status
        assert "Docker installed" in done.output
        assert "activate" in done.output
        assert portal.requests(path)[1][0]["Last-Event-ID"] == "7"


class TestDeciding:
    def test_retries_with_corrected_inputs(self, portal: Portal) -> None:
        portal.answer(f"POST /api/portal/instances/{ID}/retry", 202, {"message": "Trying again"})
        done = slipway("instances", "retry", ID, "--step", "run_migrations", "--set", "migration_command=npm run x=y")
        assert (done.exit_code, "Trying again" in done.output) == (0, True)
        expected = {"step": "run_migrations", "changes": {"migration_command": "npm run x=y"}}
        assert portal.requests("POST /api/portal")[0][1] == expected

    @pytest.mark.parametrize("pairs", [["nonsense"], ["a=1", "a=2"]])
    def test_malformed_inputs_are_wrong_usage(self, portal: Portal, pairs: list[str]) -> None:
        words = [word for pair in pairs for word in ("--set", pair)]
        assert slipway("instances", "retry", ID, *words).exit_code == 2
        assert portal.requests("POST /api/portal") == []

    def test_a_refusal_is_the_sentence_of_the_api(self, portal: Portal) -> None:
        portal.answer(f"POST /api/portal/instances/{ID}/rollback", 409, REFUSED)
        done = slipway("instances", "rollback", ID, "--reason", "wrong tier")
        assert done.exit_code == 1
        assert "Nothing waits for a decision [CONFLICT]" in done.output

    def test_creates_with_an_idempotency_key(self, portal: Portal) -> None:
        portal.answer("POST /api/portal/instances", 202, {"deploymentId": ID, "message": "Provisioning initiated"})
        done = slipway("instances", "create", "acme", "--email", "a@example.com", "--key", "k-1")
        headers, body = portal.requests("POST /api/portal/instances")[0]
        assert (done.exit_code, headers["Idempotency-Key"]) == (0, "k-1")
        assert body["slug"] == "acme"
        assert body["deploymentModel"] == "dedicated"

    @pytest.mark.parametrize(
        ("command", "method", "path"), [("cancel", "POST", "/cancel"), ("terminate", "DELETE", "")]
    )
    def test_cancels_and_terminates(self, portal: Portal, command: str, method: str, path: str) -> None:
        portal.answer(f"{method} /api/portal/instances/{ID}{path}", 202, {"message": "On its way"})
        assert slipway("instances", command, ID).exit_code == 0
        assert len(portal.requests(f"{method} /api/portal/instances/{ID}{path}")) == 1


def test_help_names_every_command() -> None:
    shown = slipway("--help").output
    for command in (
        "up",
        "down",
        "api",
        "worker",
        "migrate",
        "bootstrap",
        "administrator",
        "instances",
        "attention",
        "lab",
    ):
        assert command in shown


class TestInventory:
    ROW: dict[str, Any] = {  # noqa: RUF012 - never changed
        "id": ID, "provider_ref": "demo-vps7", "state": "quarantined", "verdict": "surplus", "deployments": [],
        "price_cents_month": 1050, "currency": "EUR", "delete_after": "2026-08-04T12:00:00Z", "note": "",
    }  # fmt: skip

    def test_lists_servers_their_bill_and_the_last_sweep(self, portal: Portal) -> None:
        reply = {
            "resources": [self.ROW],
            "totals": [{"currency": "EUR", "cents_month": 3050, "unexplained_cents_month": 1050}],
            "sweeps": [{"provider": "transip", "began_at": "2026-08-01T12:00:00Z", "outcome": "held",
                        "reason": "the list may be short"}],
        }  # fmt: skip
        portal.answer("GET /api/admin/inventory", 200, reply)
        done = slipway("inventory")
        assert done.exit_code == 0, done.output
        assert re.search(r"demo-vps7\s+quarantined\s+surplus\s+10\.50 EUR", done.output)
        assert "30.50 EUR a month, 10.50 EUR of it unexplained" in done.output
        assert "transip swept at 2026-08-01T12:00:00Z: held the list may be short" in done.output
        assert json.loads(slipway("inventory", "--json").output)["totals"] == reply["totals"]

    def test_decides_and_sweeps(self, portal: Portal) -> None:
        for verb in ("adopt", "release"):
            portal.answer(f"POST /api/admin/inventory/{ID}/{verb}", 200,
                          {"provider_ref": "demo-vps7", "state": f"{verb}d", "message": "done"})  # fmt: skip
            assert slipway("inventory", verb, ID, "--note", "why").exit_code == 0
            assert portal.requests(f"POST /api/admin/inventory/{ID}/{verb}")[0][1] == {"note": "why"}
        portal.answer("POST /api/admin/inventory/sweep", 202, {"message": "Sweep started", "sweep_id": "s"})
        assert "Sweep started" in slipway("inventory", "sweep", "--vouch").output
        assert portal.requests("POST /api/admin/inventory/sweep")[0][1] == {"vouch": True}
