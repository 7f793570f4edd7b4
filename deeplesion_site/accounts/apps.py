"""The accounts as an app of their own, because they have tables."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "deeplesion_site.accounts"
    label = "accounts"

    def ready(self) -> None:
        from deeplesion_site.accounts import sign_in  # noqa: F401  (its receivers listen from here on)
