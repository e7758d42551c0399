"""The project's settings for tests: stores of their own, no ``.env``.

Embedded stores in a new folder; with STORES=real the servers that production has, found at
POSTGRES_URL and MYSQL_URL, else on the standard local ports.
"""

import atexit
import os
import secrets
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="tests-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)

_ours = {"DEBUG", "DEMO", "PORT", "SECRET_KEY", "SERVICES", "DATA_PROVIDER_URL"}
for name in list(os.environ):
    if name in _ours or name.startswith(("SMS_", "VONAGE_", "CLIENT_")):
        del os.environ[name]
os.environ |= {"DATA_DIR": _folder, "ENV_FILE": os.devnull}

POSTGRES_URL = os.environ.get("POSTGRES_URL", "postgres://postgres@127.0.0.1:5432")
MYSQL_URL = os.environ.get("MYSQL_URL", "mysql://root@127.0.0.1:3306")
IS_REAL = os.environ.get("STORES") == "real"
for alias, variable, server in [
    ("default", "DATABASE_URL", POSTGRES_URL),
    ("dataprovider", "DATAPROVIDER_DATABASE_URL", POSTGRES_URL),
    ("dashboard", "DASHBOARD_DATABASE_URL", POSTGRES_URL),
    ("repairjobs", "REPAIRJOBS_DATABASE_URL", MYSQL_URL),
    ("client", "CLIENT_DATABASE_URL", MYSQL_URL),
]:
    os.environ[variable] = f"{server}/{alias}" if IS_REAL else ""
if IS_REAL:
    os.environ["SECRET_KEY"] = "for tests alone"
# Runs beside each other on one server keep apart; the workers of a run inherit its name.
RUN = os.environ.setdefault("TEST_RUN", secrets.token_hex(4))

from config.settings import *  # noqa: E402, F403
from config.settings import DATA_DIR, DATABASES, FOREIGN_STORES  # noqa: E402

for alias, database in DATABASES.items():
    database["TEST"] = {"DEPENDENCIES": []}
    if database["ENGINE"].endswith("sqlite3"):
        # Between threads, SQLite in memory says "table is locked" where a WAL file waits.
        database["TEST"]["NAME"] = str(DATA_DIR / f"test_{alias}.sqlite3")
    else:
        database["TEST"]["NAME"] = f"test_{alias}_{RUN}"
    if database["ENGINE"].endswith("mysql"):
        database["TEST"]["CHARSET"] = "utf8mb4"
for alias in FOREIGN_STORES:
    DATABASES[alias]["TEST"]["MIGRATE"] = False

CLIENT_SANDBOX = True
# Each test that wants a MongoDB says so.
MONGO_URL = ""
VONAGE_SIGNATURE_SECRET = "a secret that the fake and the tests share, and nobody else in the world"
DATA_PROVIDER_URL = "http://provider.test"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
