"""The CAs that settings name are the ones that renewals turn to."""

from __future__ import annotations

from providers.acme.authorities import Role
from settings import Settings
from workers.deps import authorities

STAGING, SECOND = "https://staging.test/dir", "https://second.test/dir"


def test_without_a_second_ca_and_a_staging_one_there_are_none() -> None:
    made = authorities(Settings(_env_file=None))
    assert not any(made.has(role) for role in Role)


def test_each_that_is_named_has_its_own_client_and_profile() -> None:
    settings = Settings(
        _env_file=None, acme_staging_directory_url=STAGING, acme_second_directory_url=SECOND, acme_profile="classic",
        acme_second_profile="tls", acme_second_eab_key_id="kid", acme_second_eab_hmac_key="aG1hYw",
    )  # fmt: skip
    made = authorities(settings)
    assert made.client(Role.STAGING).directory_url == STAGING
    assert made.client(Role.SECOND).directory_url == SECOND
    assert (made.profile(Role.STAGING), made.profile(Role.SECOND)) == ("classic", "tls")
    assert "aG1hYw" not in repr(settings)
