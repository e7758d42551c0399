"""The project's settings for tests: stores of their own, no ``.env``.

Embedded stores in a new folder; with STORES=real the servers that production has, found at
POSTGRES_URL, else on the standard local port.
"""

import atexit
import os
import secrets
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="tests-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)

for name in ("DEBUG", "DEMO", "PORT", "SECRET_KEY", "SERVICES", "DATA_PROVIDER_URL"):
    os.environ.pop(name, None)
os.environ |= {"DATA_DIR": _folder, "ENV_FILE": os.devnull}

POSTGRES_URL = os.environ.get("POSTGRES_URL", "postgres://postgres@127.0.0.1:5432")
IS_REAL = os.environ.get("STORES") == "real"
for alias, variable in {
    "default": "DATABASE_URL",
    "dataprovider": "DATAPROVIDER_DATABASE_URL",
    "dashboard": "DASHBOARD_DATABASE_URL",
}.items():
    os.environ[variable] = f"{POSTGRES_URL}/{alias}" if IS_REAL else ""
if IS_REAL:
    os.environ["SECRET_KEY"] = "for tests alone"
# Runs beside each other on one server keep apart; the workers of a run inherit its name.
RUN = os.environ.setdefault("TEST_RUN", secrets.token_hex(4))

from config.settings import *  # noqa: E402, F403
from config.settings import DATA_DIR, DATABASES  # noqa: E402

for alias, database in DATABASES.items():
    database["TEST"] = {"DEPENDENCIES": []}
    if database["ENGINE"].endswith("sqlite3"):
        # Between threads, SQLite in memory says "table is locked" where a WAL file waits.
        database["TEST"]["NAME"] = str(DATA_DIR / f"test_{alias}.sqlite3")
    else:
        database["TEST"]["NAME"] = f"test_{alias}_{RUN}"

DATA_PROVIDER_URL = "http://provider.test"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
