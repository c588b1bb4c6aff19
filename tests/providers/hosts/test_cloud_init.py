"""What a new server is told at birth."""

from __future__ import annotations

from typing import Any

import bcrypt
import yaml

from providers.hosts.cloud_init import with_root_password

PASSWORD = "a long enough password"


def parts(text: str) -> list[dict[str, Any]]:
    assert text.startswith("#cloud-config-archive\n")
    return list(yaml.safe_load(text))


class TestRootPassword:
    def test_only_its_hash_travels_and_it_must_be_changed(self) -> None:
        text = with_root_password("", PASSWORD)
        assert text.startswith("#cloud-config\n")
        assert PASSWORD not in text
        told = yaml.safe_load(text)
        (user,) = told["chpasswd"]["users"]
        assert (user["name"], user["type"], told["chpasswd"]["expire"]) == ("root", "hash", True)
        assert bcrypt.checkpw(PASSWORD.encode(), user["password"].encode())

    def test_sshd_reads_it_before_what_an_image_brings(self) -> None:
        (file,) = yaml.safe_load(with_root_password("", PASSWORD))["write_files"]
        assert file["path"] == "/etc/ssh/sshd_config.d/00-root-password.conf"
        assert file["content"].splitlines() == ["PermitRootLogin yes", "PasswordAuthentication yes"]

    def test_the_customers_own_data_stays_as_it_is_whatever_its_kind(self) -> None:
        for own in ("#cloud-config\nwrite_files: [{path: /a, content: b}]\n", "#!/bin/sh\necho hello\n"):
            theirs, ours = parts(with_root_password(own, PASSWORD))
            assert theirs == {"content": own}
            document = yaml.safe_load(ours["content"])
            assert "no_replace" in document["merge_how"]
            assert "list(append)" in document["merge_how"]
