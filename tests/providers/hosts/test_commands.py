"""Command builders by equality: what runs on customers' servers is read here word by word."""

from __future__ import annotations

import pytest

from providers.hosts import commands as c

COMPOSE = ["docker", "compose", "--progress", "plain", "--project-name", "acme", "--project-directory",
           "/srv/slipway/acme", "--file", "/srv/slipway/acme/docker-compose.production.yml", "--env-file",
           "/srv/slipway/acme/.env.production"]  # fmt: skip
APT = ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=120",
       "-o", "Acquire::Retries=3"]  # fmt: skip


def compose(*words: str) -> list[str]:
    return c.compose("acme", "/srv/slipway/acme", COMPOSE[9], COMPOSE[11], *words)


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (c.as_root(c.check_nginx()), ["sudo", "-n", "nginx", "-t"]),
        (c.as_root(c.reload_nginx()), ["sudo", "-n", "systemctl", "reload", "nginx.service"]),
        (c.cloud_init_wait(), ["cloud-init", "status", "--wait"]),
        (c.make_directories(["/a", "/b"], mode="0750"), ["install", "-d", "-m", "0750", "/a", "/b"]),
        (
            c.make_directories(["/a"], mode="0700", owner="o", group="g"),
            ["install", "-d", "-m", "0700", "-o", "o", "-g", "g", "/a"],
        ),
        (c.remove_tree(["-rf"]), ["rm", "-rf", "--", "-rf"]),
        (c.link("/a", "/b"), ["ln", "-sfn", "/a", "/b"]),
        (c.add_user("slipway"), ["useradd", "--create-home", "--shell", "/bin/bash", "slipway"]),
        (c.check_sudoers("/x"), ["visudo", "-c", "-f", "/x"]),
        (c.refresh_packages(), [*APT, "update"]),
        (
            c.install_packages(["nginx", "ufw"]),
            [*APT, "-o", "DPkg::Options::=--force-confold", "install", "-y", "--no-install-recommends", "nginx", "ufw"],
        ),
        (
            c.repair_packages(),
            ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "dpkg", "--force-confold", "--configure", "-a"],
        ),
        (c.firewall_default("incoming", "deny"), ["ufw", "default", "deny", "incoming"]),
        (c.firewall_allow(443), ["ufw", "allow", "443/tcp"]),
        (c.firewall_enable(), ["ufw", "--force", "enable"]),
        (c.enable_units(["a", "b"]), ["systemctl", "enable", "--now", "a", "b"]),
        (
            c.make_key("/k.pem"),
            ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "/k.pem"],
        ),
        (
            c.make_request("/k.pem", ["a.test", "b.test"]),
            [
                "openssl",
                "req",
                "-new",
                "-sha256",
                "-key",
                "/k.pem",
                "-subj",
                "/",
                "-addext",
                "subjectAltName=DNS:a.test,DNS:b.test",
            ],
        ),
        (
            c.docker_login("registry.test", "robot"),
            ["docker", "login", "--username", "robot", "--password-stdin", "registry.test"],
        ),
        (c.inspect_images(["a", "b"]), ["docker", "image", "inspect", "--format", "{{.Id}}", "a", "b"]),
        (compose(*c.PULL), [*COMPOSE, "pull"]),
        (
            compose(*c.up_words(180)),
            [*COMPOSE, "up", "--detach", "--wait", "--wait-timeout", "180", "--remove-orphans"],
        ),
        (compose(*c.STATES), [*COMPOSE, "ps", "--all", "--format", "json"]),
        (
            compose(*c.exec_words("backend", ["npm", "run", "migrate"])),
            [*COMPOSE, "exec", "-T", "backend", "npm", "run", "migrate"],
        ),
        (
            c.compose_down("acme"),
            [
                "docker",
                "compose",
                "--progress",
                "plain",
                "--project-name",
                "acme",
                "down",
                "--volumes",
                "--remove-orphans",
                "--timeout",
                "20",
            ],
        ),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_argv(built: list[str], expected: list[str]) -> None:
    assert built == expected


def test_no_builder_needs_a_shell() -> None:
    for line in (COMPOSE, APT, c.get("http://127.0.0.1:3001/api/health")):
        assert not {"|", "&&", ";", ">", "<"} & set(line)
