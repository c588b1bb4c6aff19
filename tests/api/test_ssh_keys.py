"""SSH keys as text: what may be pinned, what may sign in, and that asyncssh reads what is written here."""

from __future__ import annotations

import asyncssh
import pytest

from api import ssh_keys

KINDS = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521", "ssh-rsa"]


def pair(kind: str) -> asyncssh.SSHKey:
    return asyncssh.generate_private_key(kind, comment="root@web1")


@pytest.mark.parametrize("kind", KINDS)
def test_a_public_line_loses_its_comment_and_stays_the_same_key(kind: str) -> None:
    line = pair(kind).export_public_key().decode()
    assert ssh_keys.host_key(line) == " ".join(line.split()[:2])


@pytest.mark.parametrize(
    "text",
    [
        "", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-dss AAAAB3NzaC1kc3MAAACBAA==",
        "web1.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIb8Iu5ZEZVKTBuRGDSfhvwOGVlnUJVmNiZjcBWpNYxZ",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ],
)  # fmt: skip
def test_what_is_no_public_line_is_refused(text: str) -> None:
    with pytest.raises(ssh_keys.KeyRefused):
        ssh_keys.host_key(text)


def test_a_key_of_another_kind_than_its_line_says_is_refused() -> None:
    body = pair("ssh-rsa").export_public_key().decode().split()[1]
    with pytest.raises(ssh_keys.KeyRefused):
        ssh_keys.host_key(f"ssh-ed25519 {body}")


def test_a_short_rsa_key_is_refused() -> None:
    short = asyncssh.generate_private_key("ssh-rsa", key_size=1024)
    with pytest.raises(ssh_keys.KeyRefused, match="2048"):
        ssh_keys.host_key(short.export_public_key().decode())
    with pytest.raises(ssh_keys.KeyRefused, match="2048"):
        ssh_keys.private_key(short.export_private_key().decode())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format_name", ["openssh", "pkcs8-pem"])
def test_a_private_key_is_written_so_that_the_executor_reads_it(kind: str, format_name: str) -> None:
    key = pair(kind)
    kept = ssh_keys.private_key(key.export_private_key(format_name).decode())
    assert asyncssh.import_private_key(kept).public_data == key.public_data
    assert ssh_keys.public_line(kept).split()[:2] == key.export_public_key().decode().split()[:2]


def test_a_key_with_a_passphrase_is_refused_and_not_repeated() -> None:
    text = pair("ssh-ed25519").export_private_key(passphrase="secret words").decode()
    with pytest.raises(ssh_keys.KeyRefused, match="passphrase") as caught:
        ssh_keys.private_key(text)
    assert text.splitlines()[1] not in str(caught.value)


def test_a_new_key_is_read_by_the_executor() -> None:
    private = ssh_keys.new_private_key()
    assert asyncssh.import_private_key(private).get_algorithm() == "ssh-ed25519"
    assert ssh_keys.public_line(private).startswith("ssh-ed25519 ")
