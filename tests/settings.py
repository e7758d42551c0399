"""The project's settings for tests, with databases of their own and without ``.env``.

The databases are SQLite files in a new folder. With TEST_DATABASES=servers they are on PostgreSQL
and MariaDB, which ``tests.servers`` finds or starts.
"""

import os

from tests.processes import RUN, RUN_FOLDER
from tests.servers import MariaDB, NoServer, Postgres, server_url

# Each worker of pytest-xdist has a folder of its own.
_folder = RUN_FOLDER / os.environ.get("PYTEST_XDIST_WORKER", "main")
_folder.mkdir(exist_ok=True)

_project_variables = {
    "DEBUG",
    "DEMO",
    "PORT",
    "SECRET_KEY",
    "SERVICES",
    "DATA_PROVIDER_URL",
    "TRUST_PROXY",
    "HTTPS",
}
_project_prefixes = ("SMS_", "VONAGE_", "CLIENT_", "RATE_", "TRUST_")
for name in list(os.environ):
    if name in _project_variables or name.startswith(_project_prefixes):
        del os.environ[name]
os.environ |= {"DATA_DIR": str(_folder), "ENV_FILE": os.devnull}

ON_SERVERS = os.environ.get("TEST_DATABASES", "embedded") == "servers"
# Why the session ends before its first test.
MISSING_SERVERS = []
for alias, variable, kind in [
    ("default", "DATABASE_URL", Postgres),
    ("dataprovider", "DATAPROVIDER_DATABASE_URL", Postgres),
    ("dashboard", "DASHBOARD_DATABASE_URL", Postgres),
    ("repairjobs", "REPAIRJOBS_DATABASE_URL", MariaDB),
    ("client", "CLIENT_DATABASE_URL", MariaDB),
]:
    os.environ[variable] = ""
    if ON_SERVERS:
        try:
            os.environ[variable] = f"{server_url(kind)}/{alias}"
        except NoServer as error:
            MISSING_SERVERS.append(f"NOT TESTED on {kind.__name__}, which does not answer: {error}")
if ON_SERVERS:
    os.environ["SECRET_KEY"] = "only for tests"
    os.environ["SMS_BACKEND"] = "console"

from config.settings import *  # noqa: E402, F403
from config.settings import DATA_DIR, DATABASES, FOREIGN_DATABASES  # noqa: E402

for alias, database in DATABASES.items():
    database["TEST"] = {"DEPENDENCIES": []}
    if database["ENGINE"].endswith("sqlite3"):
        # Between threads, SQLite in memory says "table is locked" where a WAL file waits.
        database["TEST"]["NAME"] = str(DATA_DIR / f"test_{alias}.sqlite3")
        # A test database need not survive a power cut.
        database["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"
    else:
        database["TEST"]["NAME"] = f"test_{alias}_{RUN}"
    if database["ENGINE"].endswith("mysql"):
        database["TEST"]["CHARSET"] = "utf8mb4"
for alias in FOREIGN_DATABASES:
    DATABASES[alias]["TEST"]["MIGRATE"] = False

CLIENT_SANDBOX = True
# A test that needs API keys or a rate limit turns them on.
API_KEYS_REQUIRED = False
RATE_LIMIT = ""
# A test that needs MongoDB asks for a fixture.
MONGO_URL = ""
VONAGE_SIGNATURE_SECRET = "a secret that the fake and the tests share, and nobody else in the world"
DATA_PROVIDER_URL = "http://provider.test"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
