"""Databases and the message broker. The defaults are embedded: files in ``DATA_DIR``."""

from typing import Any

import pymysql
from django.core.exceptions import ImproperlyConfigured

from config.settings.environment import DATA_DIR, env
from config.settings.services import SERVICES
from local.embedded import sqlite_options

pymysql.install_as_MySQLdb()

# The variable of each database alias. The tables of stats and of Django itself are in "default".
DATABASE_URL_VARIABLES = {
    "default": "DATABASE_URL",
    "dataprovider": "DATAPROVIDER_DATABASE_URL",
    "dashboard": "DASHBOARD_DATABASE_URL",
    "repairjobs": "REPAIRJOBS_DATABASE_URL",
    "client": "CLIENT_DATABASE_URL",
}

# Seconds until a statement on a MySQL server fails. Without a limit, a frozen server blocks every
# thread that uses it. A long migration can raise the limit in its URL: ?read_timeout=…
CLIENT_TIMEOUT, OWN_TIMEOUT = 10, 30
MYSQL_OPTIONS = {
    "charset": "utf8mb4",
    "isolation_level": "read committed",
    # Do not depend on the server's own time zone and SQL mode.
    "init_command": (
        "SET time_zone = '+00:00', sql_mode = 'TRADITIONAL', innodb_lock_wait_timeout = 5"
    ),
    "connect_timeout": 5,
}


def _database(alias: str) -> dict[str, Any]:
    embedded_url = f"sqlite:///{DATA_DIR / alias}.sqlite3"
    database: dict[str, Any] = env.db_url_config(
        env.str(DATABASE_URL_VARIABLES[alias], embedded_url)
    )
    engine = database.get("ENGINE", "")
    if engine.endswith("sqlite3"):
        return database | {"OPTIONS": sqlite_options()}
    if engine.endswith("postgresql"):
        database["OPTIONS"] = {"connect_timeout": 5} | database.get("OPTIONS", {})
    elif engine.endswith("mysql"):
        timeout = CLIENT_TIMEOUT if alias == "client" else OWN_TIMEOUT
        timeouts = {"read_timeout": timeout, "write_timeout": timeout}
        database["OPTIONS"] = MYSQL_OPTIONS | timeouts | database.get("OPTIONS", {})
    else:
        raise ImproperlyConfigured(
            f"{DATABASE_URL_VARIABLES[alias]} must be a database URL: postgres://… or mysql://…"
        )
    return database | {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}


# We migrate our own databases. The client's database belongs to the client.
OWN_DATABASES = [
    alias for alias in DATABASE_URL_VARIABLES if alias == "default" or alias in SERVICES
]
FOREIGN_DATABASES = ["client"] if "repairjobs" in SERVICES else []
DATABASES = {alias: _database(alias) for alias in [*OWN_DATABASES, *FOREIGN_DATABASES]}
DATABASE_ROUTERS = [
    *(["repairjobs.routers.ClientRouter"] if "repairjobs" in SERVICES else []),
    "common.db.routers.ServiceRouter",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MONGO_URL = env.str("MONGO_URL", "")
BROKER_URL = env.str("BROKER_URL", "filesystem://localhost")

CLIENT_IS_EMBEDDED = all(
    DATABASES[alias]["ENGINE"].endswith("sqlite3") for alias in FOREIGN_DATABASES
)
IS_EMBEDDED = (
    BROKER_URL.startswith("filesystem:")
    and not MONGO_URL
    and all(database["ENGINE"].endswith("sqlite3") for database in DATABASES.values())
)
