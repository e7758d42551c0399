"""The project's settings for tests: stores of their own, no ``.env``.

Embedded stores in a new folder; with STORES=real the servers that production has, as
``tests.servers`` finds or starts them.
"""

import atexit
import os
import secrets
import shutil
import tempfile

from tests.servers import MariaDB, NoServer, Postgres, find

_folder = tempfile.mkdtemp(prefix="tests-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)

_ours = {
    "DEBUG",
    "DEMO",
    "PORT",
    "SECRET_KEY",
    "SERVICES",
    "DATA_PROVIDER_URL",
    "TRUST_PROXY",
    "HTTPS",
}
for name in list(os.environ):
    if name in _ours or name.startswith(("SMS_", "VONAGE_", "CLIENT_", "RATE_", "TRUST_")):
        del os.environ[name]
os.environ |= {"DATA_DIR": _folder, "ENV_FILE": os.devnull}

IS_REAL = os.environ.get("STORES") == "real"
# What the session says before it ends.
MISSING = []
for alias, variable, kind in [
    ("default", "DATABASE_URL", Postgres),
    ("dataprovider", "DATAPROVIDER_DATABASE_URL", Postgres),
    ("dashboard", "DASHBOARD_DATABASE_URL", Postgres),
    ("repairjobs", "REPAIRJOBS_DATABASE_URL", MariaDB),
    ("client", "CLIENT_DATABASE_URL", MariaDB),
]:
    os.environ[variable] = ""
    if IS_REAL:
        try:
            os.environ[variable] = f"{find(kind)}/{alias}"
        except NoServer as error:
            MISSING.append(f"NOT TESTED on {kind.__name__}, as none answers: {error}")
if IS_REAL:
    os.environ["SECRET_KEY"] = "for tests alone"
    os.environ["SMS_BACKEND"] = "console"
# Runs beside each other on one server keep apart; the workers of a run inherit its name.
RUN = os.environ.setdefault("TEST_RUN", secrets.token_hex(4))

from config.settings import *  # noqa: E402, F403
from config.settings import DATA_DIR, DATABASES, FOREIGN_DATABASES  # noqa: E402

for alias, database in DATABASES.items():
    database["TEST"] = {"DEPENDENCIES": []}
    if database["ENGINE"].endswith("sqlite3"):
        # Between threads, SQLite in memory says "table is locked" where a WAL file waits.
        database["TEST"]["NAME"] = str(DATA_DIR / f"test_{alias}.sqlite3")
    else:
        database["TEST"]["NAME"] = f"test_{alias}_{RUN}"
    if database["ENGINE"].endswith("mysql"):
        database["TEST"]["CHARSET"] = "utf8mb4"
for alias in FOREIGN_DATABASES:
    DATABASES[alias]["TEST"]["MIGRATE"] = False

CLIENT_SANDBOX = True
# Each test of closed doors closes them.
API_KEYS_REQUIRED = False
RATE_LIMIT = ""
# Each test that wants a MongoDB says so.
MONGO_URL = ""
VONAGE_SIGNATURE_SECRET = "a secret that the fake and the tests share, and nobody else in the world"
DATA_PROVIDER_URL = "http://provider.test"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
