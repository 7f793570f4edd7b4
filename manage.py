#!/usr/bin/env python
"""Django's command line."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deeplesion_site.settings")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        sys.exit(
            f"The database cannot be used: {str(error).strip().splitlines()[0]}; see DATABASE_URL in docs/settings.md."
        )
    except KeyboardInterrupt:
        sys.stderr.write("\nEnded before it was done; run it again to go on.\n")
        sys.exit(130)
