"""Everything made of text alone: cloud-config, env files, blueprints, set-up files, states, redaction."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import InvalidInput, RateLimited, Transient, Unauthorized
from providers.hosts import setup_files
from providers.hosts.application import Application
from providers.hosts.blueprints import AdminAccount, Blueprints, DeployContext
from providers.hosts.cloud_init import new_keypair, user_data
from providers.hosts.dotenv import quoted, render
from providers.hosts.inspection import api_fault
from providers.hosts.redaction import Redactor
from providers.hosts.services import parse_states, pull_failure
from providers.hosts.setup import firewall_is_right
from providers.hosts.ssh import CommandResult
from sandbox.hosts.emulated.compose import read_env
from tests.providers.hosts.conftest import BLUEPRINTS

CONTEXT = DeployContext(slug="acme", fqdn="acme.recruitiq.nl", organization_name="Acme", tier="starter")
ADMIN = AdminAccount(email="a@acme.test", name="Ada", password="first-password")


class TestCloudConfig:
    def test_says_who_the_host_is_and_who_may_enter(self) -> None:
        private, public = new_keypair()
        host_private, host_public = new_keypair()
        text = user_data(hostname="vps", authorized_key=public, host_private_key=host_private,
                         host_public_key=host_public)  # fmt: skip
        assert text.startswith("#cloud-config\n")
        document = yaml.safe_load(text)
        assert document["ssh_keys"] == {"ed25519_private": host_private, "ed25519_public": host_public}
        assert asyncssh.import_private_key(document["ssh_keys"]["ed25519_private"])
        assert document["ssh_authorized_keys"] == [public]
        assert document["ssh_deletekeys"] is True
        assert document["ssh_pwauth"] is False
        assert "write_files" not in document
        assert private not in text
        assert len(text) < 16_000

    def test_a_given_apt_source_replaces_the_images(self) -> None:
        private, public = new_keypair()
        document = yaml.safe_load(user_data(hostname="v", authorized_key=public, host_private_key=private,
                                            host_public_key=public, apt_source="deb http://x ./"))  # fmt: skip
        files = {f["path"]: f["content"] for f in document["write_files"]}
        assert files == {"/etc/apt/sources.list": "deb http://x ./\n", "/etc/apt/sources.list.d/debian.sources": ""}


class TestEnvFile:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("plain-1", "plain-1"),
            ("", ""),
            ("with space # and hash", "'with space # and hash'"),
            ("$HOME", "'$HOME'"),
            ("it's", '"it\'s"'),
            ("ends\\", '"ends\\\\"'),
            ("both'$\"", '"both\'\\$\\""'),
        ],
    )
    def test_is_quoted_as_compose_reads_it(self, value: str, text: str) -> None:
        assert quoted(value) == text

    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=60))
    def test_any_value_comes_back(self, value: str) -> None:
        assert read_env(render({"A": value, "B": "next"})) == {"A": value, "B": "next"}

    def test_a_nul_is_refused(self) -> None:
        with pytest.raises(ValueError, match="NUL"):
            quoted("a\x00b")


class TestBlueprint:
    def test_the_newest_version_is_the_default(self) -> None:
        assert BLUEPRINTS.get("recruitiq").version == BLUEPRINTS.versions("recruitiq")[-1]

    @pytest.mark.parametrize(("name", "version", "field"), [("../etc", "", "blueprint"), ("nope", "", "blueprint"),
                                                            ("recruitiq", "9.9", "blueprint_version")])  # fmt: skip
    def test_an_unknown_one_names_the_field(self, name: str, version: str, field: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            BLUEPRINTS.get(name, version)
        assert caught.value.field == field

    def test_the_documented_seven_services_and_ports(self) -> None:
        blueprint = BLUEPRINTS.get("recruitiq")
        assert [s.name for s in blueprint.services] == [
            "postgres", "redis", "backend", "portal", "nexus", "paylinq", "recruitiq"]  # fmt: skip
        assert blueprint.ports(0) == {"backend": 3001, "portal": 3002, "nexus": 3003, "paylinq": 3004,
                                      "recruitiq": 3005}  # fmt: skip
        assert blueprint.ports(2)["backend"] == 3021

    def test_every_port_is_published_on_the_loopback_and_databases_on_none(self) -> None:
        blueprint = BLUEPRINTS.get("recruitiq")
        compose = yaml.safe_load(blueprint.render(CONTEXT)[0].content)
        for name, service in compose["services"].items():
            ports = service.get("ports", [])
            assert all(port.startswith("127.0.0.1:") for port in ports)
            assert bool(ports) == blueprint.service(name).publish

    def test_the_compose_files_images_are_the_blueprints(self) -> None:
        blueprint = BLUEPRINTS.get("recruitiq")
        compose = yaml.safe_load(blueprint.render(CONTEXT)[0].content)
        made = [s["image"].replace("${REGISTRY}", blueprint.registry) for s in compose["services"].values()]
        assert made == blueprint.images(CONTEXT)

    def test_no_file_holds_a_secret(self) -> None:
        blueprint = BLUEPRINTS.get("recruitiq")
        text = "".join(f.content for f in blueprint.render(CONTEXT))
        assert "secrets." not in text
        assert all(f.mode == 0o640 for f in blueprint.render(CONTEXT))

    def test_secrets_are_long_enough(self) -> None:
        """R328, R429."""
        for spec in BLUEPRINTS.get("recruitiq").secrets:
            assert len(spec.generate()) >= 32
            assert spec.generate() != spec.generate()

    def test_the_environment_has_everything_the_apps_read(self) -> None:
        blueprint = BLUEPRINTS.get("recruitiq")
        values = {s.name: s.generate() for s in blueprint.secrets}
        found = read_env(blueprint.render_environment(CONTEXT, values=values, admin=ADMIN, extra={"MORE": "x"}))
        assert found["DATABASE_URL"] == f"postgresql://recruitiq:{values['DATABASE_PASSWORD']}@postgres:5432/recruitiq"
        assert found["REDIS_URL"] == f"redis://:{values['REDIS_PASSWORD']}@redis:6379/0"
        assert (found["JWT_EXPIRES_IN"], found["ADMIN_EMAIL"], found["MORE"]) == ("24h", "a@acme.test", "x")

    def test_constants_may_be_replaced_and_secrets_may_not(self) -> None:
        blueprint = BLUEPRINTS.get("recruitiq")
        values = {s.name: s.generate() for s in blueprint.secrets}
        text = blueprint.render_environment(CONTEXT, values=values, admin=ADMIN, extra={"JWT_EXPIRES_IN": "1h"})
        assert read_env(text)["JWT_EXPIRES_IN"] == "1h"
        for name in ("JWT_SECRET", "DATABASE_URL", "REGISTRY", "ADMIN_PASSWORD", "no name", "A-B"):
            with pytest.raises(InvalidInput) as caught:
                blueprint.render_environment(CONTEXT, values=values, admin=ADMIN, extra={name: "x"})
            assert caught.value.field == "environment"

    def test_a_missing_secret_is_our_fault(self) -> None:
        with pytest.raises(ValueError, match="JWT_SECRET"):
            BLUEPRINTS.get("recruitiq").render_environment(CONTEXT, values={}, admin=ADMIN)

    def test_a_typing_error_in_a_blueprint_is_found_when_it_is_read(self, tmp_path: Path) -> None:
        folder = tmp_path / "x" / "1"
        folder.mkdir(parents=True)
        (folder / "blueprint.yaml").write_text("name: x\nversion: '1'\nservises: []\n")
        with pytest.raises(InvalidInput, match="not valid"):
            Blueprints(tmp_path).get("x")

    def test_the_redirect_keeps_an_unusual_port(self) -> None:
        blueprint = BLUEPRINTS.get("recruitiq")
        other = CONTEXT.model_copy(update={"https_port": 8443})
        assert "https://acme.recruitiq.nl:8443$request_uri" in blueprint.render_site(other)
        assert "https://acme.recruitiq.nl$request_uri" in blueprint.render_site(CONTEXT)

    def test_only_a_slug_becomes_a_folder(self) -> None:
        with pytest.raises(ValueError, match="no slug"):
            Application(BLUEPRINTS.get("recruitiq"), CONTEXT.model_copy(update={"slug": "../../etc"}))


class TestSetUpFiles:
    def test_sudo_lists_absolute_commands_without_wildcards(self) -> None:
        for command in setup_files.ALLOWED_AS_ROOT:
            assert command.startswith("/usr/")
            assert not set("*?[\\") & set(command)

    def test_insecure_registries_only_where_configured(self) -> None:
        assert "insecure" not in setup_files.docker_daemon()
        assert '"registry.test:5000"' in setup_files.docker_daemon(["registry.test:5000"])

    def test_the_version_is_stable(self) -> None:
        assert setup_files.version() == setup_files.version()
        assert len(setup_files.version()) == 12

    def test_a_firewall_with_a_further_port_is_not_right(self) -> None:
        head = "Status: active\nDefault: deny (incoming), allow (outgoing), deny (routed)\n"
        lines = [f"{port}/tcp                     ALLOW IN    Anywhere\n" for port in (22, 80, 443)]
        assert firewall_is_right(head + "".join(lines))
        assert not firewall_is_right(head + "".join(lines) + "5432/tcp                   ALLOW IN    Anywhere\n")
        assert not firewall_is_right(head + "".join(lines[:2]))
        assert not firewall_is_right("Status: inactive\n")


class TestWhatProgramsSay:
    def test_states_as_lines_and_as_one_array(self) -> None:
        row = '{"Service":"redis","ID":"1","State":"exited","Health":"","ExitCode":1}'
        assert parse_states(f"{row}\n{row}\n") == parse_states(f"[{row},{row}]")
        assert str(parse_states(row)[0]) == "redis is exited with 1"

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("manifest for r/recruitiq/backend:1.0.0 not found: manifest unknown", InvalidInput),
            ("unauthorized: incorrect username or password", Unauthorized),
            ("pull access denied for recruitiq/backend", Unauthorized),
            ("toomanyrequests: You have reached your pull rate limit", RateLimited),
            ("dial tcp 10.0.0.1:5000: connect: connection refused", Transient),
            ("net/http: TLS handshake timeout", Transient),
        ],
    )
    def test_a_registrys_words(self, text: str, kind: type) -> None:
        app = Application(BLUEPRINTS.get("recruitiq"), CONTEXT)
        assert type(pull_failure(app, CommandResult(1, "", f"Error response from daemon: {text}"))) is kind

    def test_health_is_only_what_the_backend_says_of_all_three(self) -> None:
        assert api_fault(200, '{"status":"healthy","database":"connected","redis":"connected"}') is None
        assert api_fault(503, '{"status":"unhealthy","database":"disconnected","redis":"connected"}') == (
            "answered 503, status is 'unhealthy', database is 'disconnected'"
        )
        assert api_fault(502, "<html>") == "answered 502 without a JSON object"


class TestRedactor:
    def test_longest_first_and_every_line_of_a_key(self) -> None:
        redact = Redactor(["abcd", "abcdefgh", "line one\nline two"])
        assert redact("x abcdefgh y abcd line two") == "x [REDACTED] y [REDACTED] [REDACTED]"

    def test_short_values_stay(self) -> None:
        assert Redactor(["a", ""])("a b") == "a b"
