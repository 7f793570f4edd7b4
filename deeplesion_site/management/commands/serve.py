"""`make serve`: the site and its workers on one's own data."""

import signal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from deeplesion_site import servers
from deeplesion_site.access import Role
from deeplesion_site.accounts import people

ADMIN = "admin"


class Command(BaseCommand):
    help = "Migrates the database, sees to it that there is an administrator, and serves the site until Ctrl-C."

    def handle(self, **_: Any) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            signal.signal(getattr(signal, name), signal.default_int_handler)
        port: int = settings.PORT
        try:
            servers.check_port(port, "make serve")
            call_command("migrate", verbosity=0)
            password = self.administrator()
            with servers.running(port) as processes:
                self.stdout.write(f"\nDeepLesion is at http://127.0.0.1:{port}/   (Ctrl-C ends it)\n")
                self.stdout.write(f"Its data are in {settings.DATA_DIR}\n")
                if password:
                    self.stdout.write(f"\n  {ADMIN}  {password}\n")
                    self.stdout.write("\nThis password is shown once; change it at your account.\n")
                self.stdout.flush()
                servers.watch(processes)
        except (servers.PortTaken, servers.ServerEnded, people.BadAccount) as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            self.stdout.write("\nEnded.")

    def administrator(self) -> str:
        """Make an administrator where there is none, and give the password; empty where there is one."""
        if User.objects.filter(Q(is_superuser=True) | Q(groups__name=Role.ADMIN), is_active=True).exists():
            return ""
        return people.create(name=ADMIN, role=Role.ADMIN, by=None)[1]
