"""One stack per state folder, private files, and clear sentences when it cannot come up."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sandbox.stack import keys
from sandbox.stack.accounts import FirstUser
from sandbox.stack.hosts import Choice, choose, remember, without_lab
from sandbox.stack.layout import PROJECT, Layout, StackError, last_lines, write_json
from sandbox.stack.names import PEM, ROOTS_KEPT, with_root
from sandbox.stack.ports import Ports
from sandbox.stack.processes import record
from sandbox.stack.reports import Event, Pipe, Reports, Screen, parse
from sandbox.stack.services import Plan
from sandbox.stack.up import alone, running
from settings import Settings


def slipway(layout: Layout, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SLIPWAY_STATE_DIR": str(layout.root), "HOSTS": "emulated", **more}
    argv = [sys.executable, "-m", "cli", *words]
    return subprocess.run(argv, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)


class TestOneAtATime:
    def test_a_second_start_is_one_sentence(self, layout: Layout) -> None:
        write_json(layout.up, {"portal": "http://127.0.0.1:8000/"})
        with alone(layout):
            second = slipway(layout, "up")
        assert second.returncode == 1
        assert "Slipway is already running" in second.stderr
        assert "http://127.0.0.1:8000/" in second.stderr
        assert "make down" in second.stderr

    def test_the_lock_goes_with_its_holder(self, layout: Layout) -> None:
        with alone(layout):
            found = running(layout)
            assert found is not None
            assert found.pid == os.getpid()
        assert running(layout) is None
        with alone(layout):
            pass

    def test_a_dead_supervisor_is_not_running(self, layout: Layout) -> None:
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
            record(process.pid).save(layout.root / "supervisor.json")
            assert running(layout) is not None
            process.kill()
        assert running(layout) is None


class TestCannotComeUp:
    @pytest.mark.parametrize("detach", [[], ["--detach"]])
    def test_a_taken_port_is_one_sentence_and_leaves_nothing_running(self, layout: Layout, detach: list[str]) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            done = slipway(layout, "up", *detach, PORT=str(port))
        assert done.returncode == 1
        assert f"Port {port} for the API is taken" in done.stderr
        assert "Traceback" not in done.stderr + done.stdout
        assert list(layout.pids.iterdir()) == []
        assert not layout.up.exists()

    def test_a_database_that_does_not_answer_is_one_sentence(self, layout: Layout) -> None:
        url = "postgresql://nobody:a-planted-secret@127.0.0.1:9/none"
        done = slipway(layout, "up", DATABASE_URL=url, TEMPORAL_ADDRESS="127.0.0.1:9", PORT=str(_free()))
        assert done.returncode == 1
        assert "DATABASE_URL does not answer" in done.stderr or "TEMPORAL_ADDRESS=127.0.0.1:9" in done.stderr
        assert "a-planted-secret" not in done.stderr + done.stdout

    def test_unknown_hosts_are_refused(self, layout: Layout) -> None:
        done = slipway(layout, "up", HOSTS="imaginary", PORT=str(_free()), TEMPORAL_PORT=str(_free()))
        assert done.returncode == 1
        assert "HOSTS=imaginary is not one of auto, machine, emulated" in done.stderr


def _free() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class TestHosts:
    def test_a_state_folder_stays_with_the_kind_it_began_with(
        self, layout: Layout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        remember(layout, Choice("emulated", ""))
        monkeypatch.setenv("HOSTS", "auto")
        assert choose(layout).kind == "emulated"
        monkeypatch.setenv("HOSTS", "machine")
        with pytest.raises(StackError, match="are emulated hosts"):
            choose(layout)

    def test_without_root_hosts_are_emulated_and_the_reason_is_told(
        self, layout: Layout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sandbox.stack.hosts.machine_lacks", lambda: ["The lab needs root."])
        monkeypatch.delenv("HOSTS", raising=False)
        assert choose(layout) == Choice("emulated", "The lab needs root.")
        monkeypatch.setenv("HOSTS", "machine")
        with pytest.raises(StackError, match="The lab needs root"):
            choose(layout)

    def test_a_lab_that_cannot_be_prepared_is_emulated_unless_demanded(self) -> None:
        error = StackError("no packages")
        assert without_lab(Choice("machine", ""), error).kind == "emulated"
        with pytest.raises(StackError, match="no packages"):
            without_lab(Choice("machine", "", demanded=True), error)


class TestSecrets:
    def test_are_made_once_and_private(self, layout: Layout) -> None:
        first = keys.load(layout)
        assert keys.load(layout) == first
        path, public = keys.transip_key(layout)
        assert keys.transip_key(layout) == (path, public)
        assert "PUBLIC KEY" in public
        for name in ("secrets.json", "transip.key"):
            assert (layout.root / name).stat().st_mode & 0o777 == 0o600
        assert layout.root.stat().st_mode & 0o777 == 0o700

    def test_differ_between_stacks_and_stay_out_of_repr(self, tmp_path: Path) -> None:
        made = []
        for name in ("a", "b"):
            layout = Layout(tmp_path / name)
            layout.prepare()
            made.append(keys.load(layout))
        assert made[0].admin_password != made[1].admin_password
        assert made[0].jwt_secret not in repr(made[0])
        assert len(made[0].admin_password) >= 14

    def test_a_broken_file_is_named(self, layout: Layout) -> None:
        (layout.root / "secrets.json").write_text("{")
        with pytest.raises(StackError, match=r"secrets\.json is not readable"):
            keys.load(layout)


class TestPlan:
    @pytest.fixture
    def plan(self, layout: Layout) -> Plan:
        made = Plan(layout, keys.load(layout), Ports(layout), 8000, "emulated")
        made.database_url = "postgresql://slipway:x@127.0.0.1:1/slipway"
        return made

    def test_what_processes_are_given_are_valid_settings(self, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in plan.environment().items():
            monkeypatch.setenv(name, value)
        loaded = Settings(_env_file=None)
        assert loaded.base_domain == "slipway.test"
        assert loaded.host_https_port == 8443
        assert loaded.dns_servers == [plan.names.dns_server]
        urls = [loaded.transip_api_url, loaded.digitalocean_api_url, loaded.linode_api_url]
        ports = {urlsplit(url).port for url in urls}
        assert [urlsplit(url).path for url in urls] == ["/v6", "", "/v4"]
        assert len(ports) == 3
        for token in (loaded.digitalocean_token, loaded.linode_token):
            assert token is not None
            assert len(token.get_secret_value()) >= 64

    def test_secrets_are_in_no_command_line(self, plan: Plan) -> None:
        plan.names.acme()
        services = [plan.cloud(), plan.worker(), plan.api(), *plan.names_and_images(), plan.acme()]
        words = " ".join(word for service in services for word in service.argv)
        for secret in plan.secrets.model_dump(exclude={"instance"}).values():
            assert secret not in words

    def test_up_json_has_what_scripts_need(self, plan: Plan) -> None:
        details = plan.details(FirstUser("admin", "generated"), Choice("emulated", "no root"))
        write_json(plan.layout.up, details)
        assert plan.layout.up.stat().st_mode & 0o777 == 0o600
        assert json.loads(plan.layout.up.read_text()).keys() == {
            "api", "portal", "temporal_ui", "username", "password", "hosts", "ca_file", "dns_server", "sandbox",
            "clouds", "base_domain", "database_url", "temporal_address", "stripe", "tenant", "price", "order_key",
        }  # fmt: skip

    def test_the_call_for_a_paid_order_is_a_script_that_nobody_else_reads(self, plan: Plan) -> None:
        plan.price = "the-price"
        script = plan.order_script()
        assert script.stat().st_mode & 0o777 == 0o700
        assert "the-price" in script.read_text()
        assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0

    def test_a_password_that_was_changed_is_no_longer_shown(self, plan: Plan) -> None:
        choice = Choice("emulated", "no root")
        shown = [dict(plan.lines(FirstUser("admin", word), choice))["Sign in"] for word in ("generated", "")]
        assert "generated" in shown[0]
        assert shown[1] == "admin, with the password chosen before"


class TestRoots:
    def test_earlier_roots_stay_trusted_behind_the_new_one(self) -> None:
        pems = [f"-----BEGIN CERTIFICATE-----\n{number}\n-----END CERTIFICATE-----" for number in range(60)]
        bundle = ""
        for pem in [*pems, pems[-1]]:
            bundle = with_root(bundle, pem + "\n")
        kept = PEM.findall(bundle)
        assert kept[:2] == [pems[59], pems[58]]
        assert len(kept) == ROOTS_KEPT == len(set(kept))


class TestReports:
    def test_a_waiting_process_sees_the_same_events(self, capsys: pytest.CaptureFixture[str]) -> None:
        reading, writing = os.pipe()
        reports = Reports(Pipe(writing))
        reports.begin("API")
        reports.done("API")
        reports.ready({"lines": [["Portal", "http://127.0.0.1:8000/"]]})
        reports.note("nobody listens any more")
        with os.fdopen(reading) as file:
            events = [parse(line) for line in file]
        assert [event.kind for event in events] == ["begin", "done", "ready"]
        screen = Screen()
        for event in events:
            screen(event)
        told = capsys.readouterr().out
        assert "✓ API" in told
        assert "http://127.0.0.1:8000/" in told

    def test_text_with_brackets_is_shown_as_it_is(self, capsys: pytest.CaptureFixture[str]) -> None:
        Screen()(Event(kind="failed", text="Worker ended: [/tmp] [red]"))
        assert "[/tmp] [red]" in capsys.readouterr().err

    def test_the_end_of_a_log_is_short(self, layout: Layout) -> None:
        layout.log("api").write_text("\n".join(f"line {number}" for number in range(5000)))
        assert last_lines(layout.log("api"), 2) == ["line 4998", "line 4999"]
        assert last_lines(layout.log("none")) == []
