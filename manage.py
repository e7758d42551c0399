#!/usr/bin/env python
import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import InterfaceError, OperationalError, ProgrammingError

INTERRUPTED = 130


def main() -> int | str:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        return f"Settings: {error}"
    except (OperationalError, ProgrammingError, InterfaceError) as error:
        if "--traceback" in sys.argv:
            raise
        return (
            f"Database error: {str(error).strip()}\n"
            "Check that the database is running and migrated (manage.py migrate_databases).\n"
            "--traceback shows where the error occurred."
        )
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. Completed work is kept.\n")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
