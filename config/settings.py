"""Settings of Django, DRF, ours and Celery. What differs between machines is environment."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
import limits
import pymysql
from django.core.exceptions import ImproperlyConfigured

from local.embedded import broker_options, load_or_create_secret, sqlite_options

pymysql.install_as_MySQLdb()

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / env.str("ENV_FILE", default=".env"))
# Compose and shells pass on what is not set as empty.
env.ENVIRON = {name: value for name, value in os.environ.items() if value}


def _whole_number(name: str, default: int, most: int = 10**9) -> int:
    value: str = env.str(name, default=str(default))
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= most):
        raise ImproperlyConfigured(f"{name} is {value!r}; allowed: a whole number from 1 to {most}")
    return int(value)


def _boolean(name: str, default: str = "false") -> bool:
    value: str = env.str(name, default=default)
    if value.lower() not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
        raise ImproperlyConfigured(f"{name} is {value!r}; allowed: true or false")
    return value.lower() in {"true", "1", "yes", "on"}


DATA_DIR = Path(env.str("DATA_DIR", default=BASE_DIR / "var")).absolute()
try:
    DATA_DIR.mkdir(parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(f"DATA_DIR cannot be made: {error}") from error
PORT = _whole_number("PORT", 8000, most=65_535)

# --- Which services this process carries -----------------------------------------------------

KNOWN_SERVICES = ["stats", "dataprovider", "dashboard", "repairjobs"]
_asked = [name.strip() for name in env.str("SERVICES", default="all").split(",")]
if unknown := set(_asked) - {"all", *KNOWN_SERVICES}:
    raise ImproperlyConfigured(
        f"SERVICES names {', '.join(sorted(unknown)) or 'nothing'}; "
        f"allowed: all, or some of {', '.join(KNOWN_SERVICES)} with commas between"
    )
SERVES_ALL = "all" in _asked
SERVICES = [name for name in KNOWN_SERVICES if SERVES_ALL or name in _asked]

# --- Stores ------------------------------------------------------------------------------------

# By alias; stats lives in "default", beside Django's own tables.
DATABASE_URL_VARIABLES = {
    "default": "DATABASE_URL",
    "dataprovider": "DATAPROVIDER_DATABASE_URL",
    "dashboard": "DASHBOARD_DATABASE_URL",
    "repairjobs": "REPAIRJOBS_DATABASE_URL",
    "client": "CLIENT_DATABASE_URL",
}
# Every statement on a MySQL server is given up after so many seconds, as one that is frozen would
# keep each thread that asks it for ever. A long migration asks for more in its URL: ?read_timeout=…
CLIENT_TIMEOUT, OWN_TIMEOUT = 10, 30
MYSQL_OPTIONS = {
    "charset": "utf8mb4",
    "isolation_level": "read committed",
    # One clock and one strictness on every connection, however the server is set.
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
        seconds = CLIENT_TIMEOUT if alias == "client" else OWN_TIMEOUT
        timeouts = {"read_timeout": seconds, "write_timeout": seconds}
        database["OPTIONS"] = MYSQL_OPTIONS | timeouts | database.get("OPTIONS", {})
    else:
        raise ImproperlyConfigured(
            f"{DATABASE_URL_VARIABLES[alias]} is no URL of a store; allowed: postgres://… or mysql://…"
        )
    return database | {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}


# Migrated by us; the client's database is the client's.
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

BROKER_URL = env.str("BROKER_URL", "filesystem://localhost")
MONGO_URL = env.str("MONGO_URL", "")
IS_EMBEDDED = (
    BROKER_URL.startswith("filesystem:")
    and not MONGO_URL
    and all(database["ENGINE"].endswith("sqlite3") for database in DATABASES.values())
)

# --- Django ------------------------------------------------------------------------------------

DEBUG = _boolean("DEBUG")
SECRET_KEY = env.str("SECRET_KEY", "")
if not SECRET_KEY:
    if not IS_EMBEDDED:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. It is made up only while every store is an embedded one; "
            "set it to a long random string of your own."
        )
    SECRET_KEY = load_or_create_secret(DATA_DIR / "secret_key")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
# Behind a proxy of ours that sets X-Forwarded-For and X-Forwarded-Proto, whatever came with them.
TRUST_PROXY = _boolean("TRUST_PROXY")
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# People and programs reach this process by HTTPS alone; all else is sent there.
HTTPS = _boolean("HTTPS")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# What watches a process asks it from beside it.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)/?$"]
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SILENCED_SYSTEM_CHECKS = [
    # To be on the browsers' own lists is for the owner of the domain to say.
    "security.W021",
    # No cookie means anything to a process that carries no admin.
    *([] if SERVES_ALL else ["security.W003"]),
    # What whoever runs this overrules.
    *env.list("SILENCED_CHECKS", default=[]),
]

# People (admin, log-in) come with the process that carries everything; one API alone needs none.
_FOR_PEOPLE = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
]
INSTALLED_APPS = [
    # Before the others, as some of its templates stand for theirs.
    "common",
    *(_FOR_PEOPLE if SERVES_ALL else []),
    "django.contrib.staticfiles",
    "rest_framework_api_key",
    "common.api_keys",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    *SERVICES,
]
MIDDLEWARE = [
    "common.middleware.measure_requests",
    "common.middleware.drain_request_body",
    "common.middleware.content_security_policy",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
if SERVES_ALL:
    MIDDLEWARE += [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
# We extend its model; the table of its own stays unmade.
MIGRATION_MODULES = {"rest_framework_api_key": None}
# What pages may load, everything from here. No script stands in them but the admin's (Alpine makes
# functions of the attributes in its templates).
CONTENT_SECURITY_POLICY = {
    "default-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
ADMIN_CONTENT_SECURITY_POLICY = CONTENT_SECURITY_POLICY | {
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'"
}
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                *(
                    [
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                    if SERVES_ALL
                    else []
                ),
            ],
        },
    },
]
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LANGUAGE_CODE = "en-gb"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["common.formats"]
# Of whoever opens the page to sign in by itself.
LOGIN_REDIRECT_URL = "/admin/"
UNFOLD = {
    "SITE_TITLE": "Billing and booking services",
    "SITE_HEADER": "Services",
    "SITE_SUBHEADER": "All days and times are UTC",
    "SITE_SYMBOL": "hub",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "common.admin.dashboard.icon"},
    ],
    "STYLES": ["common.admin.dashboard.stylesheet"],
    # The blue of the other pages (look.css), from light to dark.
    "COLORS": {
        "primary": {
            "50": "oklch(97.3% .012 252)",
            "100": "oklch(94% .028 252)",
            "200": "oklch(88.5% .055 252)",
            "300": "oklch(81% .09 252)",
            "400": "oklch(72% .115 252)",
            "500": "oklch(66% .13 252)",
            "600": "oklch(50.5% .13 254)",
            "700": "oklch(44.5% .12 254)",
            "800": "oklch(38.5% .1 254)",
            "900": "oklch(33% .08 255)",
            "950": "oklch(25% .06 256)",
        },
    },
    "DASHBOARD_CALLBACK": "common.admin.dashboard.dashboard_callback",
    "SIDEBAR": {"show_search": True, "navigation": "common.admin.dashboard.navigation"},
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # A bad request is the client's business, and answered; it is no line in our log.
        "django.request": {"level": "ERROR"},
        "django.security": {"level": "CRITICAL"},
        # One line a run comes from the run itself; Celery speaks up when something is wrong.
        "celery": {"level": "WARNING"},
    },
}

# --- Django REST framework -----------------------------------------------------------------------

# The longest message or event that a request may carry.
MAX_BODY_BYTES = 64 * 1024
# And a batch of them.
MAX_BATCH_BYTES = 16 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": [
        "common.api.json_format.JSONRenderer",
        "common.api.browsable.BrowsableAPIRenderer",
    ],
    # Multipart is what the browsable API's forms send.
    "DEFAULT_PARSER_CLASSES": [
        "common.api.json_format.JSONParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "common.api.negotiation.ContentNegotiation",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "common.api.authentication.ApiKeyAuthentication",
        *(["common.api.authentication.AdminSessionAuthentication"] if SERVES_ALL else []),
    ],
    "DEFAULT_PERMISSION_CLASSES": ["common.api.permissions.ServicePermission"],
    "DEFAULT_THROTTLE_CLASSES": ["common.api.throttling.CallerRateThrottle"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "common.api.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "common.api.errors.exception_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "All services",
    "DESCRIPTION": 'Lists are JSON arrays; `Link: <…>; rel="next"` leads to the next page.',
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    # A PATCH names what it needs.
    "COMPONENT_SPLIT_PATCH": False,
    "PREPROCESSING_HOOKS": ["common.api.openapi_hooks.exclude_trailing_slashes"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "common.api.openapi_hooks.add_parameter_examples",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "tryItOutEnabled": True,
        "syntaxHighlight": {"theme": "tomorrow-night"},
    },
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
}

# --- Who may ask, and how often ------------------------------------------------------------------

API_KEYS_REQUIRED = _boolean("API_KEYS_REQUIRED", "true")
# For each caller and service; "off" for none.
RATE_LIMIT = env.str("RATE_LIMIT", "60000/minute")
RATE_LIMIT = "" if RATE_LIMIT == "off" else RATE_LIMIT
try:
    limits.parse(RATE_LIMIT or "1/second")
except ValueError as error:
    raise ImproperlyConfigured(
        f"RATE_LIMIT is {RATE_LIMIT!r}; allowed: off, or a rate such as 6000/minute"
    ) from error
# Where processes count together; each counts alone without it.
RATE_LIMIT_URL = env.str("RATE_LIMIT_URL", "")

# --- Ours ----------------------------------------------------------------------------------------

SMS_BACKEND = env.str("SMS_BACKEND", "console")
SMS_BACKEND_IS_NAMED = "SMS_BACKEND" in env.ENVIRON
if SMS_BACKEND not in {"console", "vonage"}:
    raise ImproperlyConfigured(f"SMS_BACKEND is {SMS_BACKEND!r}; allowed: console or vonage")
# Whoever has a client or texts people for real gets no made-up jobs, whatever is set.
CLIENT_IS_EMBEDDED = all(
    DATABASES[alias]["ENGINE"].endswith("sqlite3") for alias in FOREIGN_DATABASES
)
IS_LIVE = SMS_BACKEND == "vonage" or not CLIENT_IS_EMBEDDED
DEMO = _boolean("DEMO") and not IS_LIVE
CLIENT_SANDBOX = _boolean("CLIENT_SANDBOX") and not IS_LIVE
DATA_PROVIDER_URL = env.str("DATA_PROVIDER_URL", f"http://127.0.0.1:{PORT}")
DATA_PROVIDER_KEY = env.str("DATA_PROVIDER_KEY", "")
# What the demo's repair shop sends to this machine's own API.
SANDBOX_KEY = env.str("SANDBOX_KEY", "")
# Seconds: to connect, between two pieces of an answer, and for one whole answer.
DATA_PROVIDER_TIMEOUTS = (3.05, 10.0, 25.0)
INGEST_OVERLAP = timedelta(seconds=_whole_number("INGEST_OVERLAP_SECONDS", 60))
# Longer than one page may take. A run that outlives its lease costs work done twice, never an
# event counted twice.
INGEST_LEASE = timedelta(seconds=_whole_number("INGEST_LEASE_SECONDS", 30))
INGEST_SECONDS = _whole_number("INGEST_SECONDS", 5)
SIMULATE_SECONDS = _whole_number("SIMULATE_SECONDS", 5)
COLLECT_SECONDS = _whole_number("COLLECT_SECONDS", 5)
SWEEP_SECONDS = _whole_number("SWEEP_SECONDS", 30)
FOLLOW_SECONDS = _whole_number("FOLLOW_SECONDS", 5)
OUTBOX_SECONDS = _whole_number("OUTBOX_SECONDS", 2)
# How long a worker that died keeps others from what it had claimed; longer than any one errand.
OUTBOX_LEASE = timedelta(seconds=_whole_number("OUTBOX_LEASE_SECONDS", 60))
# Celery ends a run before another worker may take over its tasks. Threads know no time limit: there
# only the timeouts of the outside systems end a task before its lease.
OUTBOX_TIME_LIMIT = max(40.0, OUTBOX_LEASE.total_seconds() - 5)

# The status by which the client marks a paid job, if it has one.
CLIENT_PAID_STATUS = env.str("CLIENT_PAID_STATUS", "")
VONAGE_FROM = env.str("VONAGE_FROM", "Repairs")
VONAGE_APPLICATION_ID = env.str("VONAGE_APPLICATION_ID", "")
VONAGE_PRIVATE_KEY = env.str("VONAGE_PRIVATE_KEY", "")
VONAGE_SIGNATURE_SECRET = env.str("VONAGE_SIGNATURE_SECRET", "")
VONAGE_API_HOST = env.str("VONAGE_API_HOST", "api.nexmo.com")
VONAGE_TIMEOUT = _whole_number("VONAGE_TIMEOUT", 10)
SMS_PER_SECOND = _whole_number("SMS_PER_SECOND", 30)
# How long an SMS that may or may not have left holds back the step after it.
SMS_UNKNOWN_TIMEOUT = timedelta(seconds=_whole_number("SMS_UNKNOWN_SECONDS", 15 * 60))

# --- Celery --------------------------------------------------------------------------------------

CELERY_BROKER_URL = BROKER_URL
CELERY_BROKER_TRANSPORT_OPTIONS = (
    broker_options(DATA_DIR / "broker") if BROKER_URL.startswith("filesystem:") else {}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# However long the broker is away: whoever gives up would have to be started again by hand.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_TASK_ROUTES = {f"{name}.*": {"queue": name} for name in KNOWN_SERVICES}
CELERY_TASK_TIME_LIMIT = 15 * 60
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"
# Beat writes it every three minutes, which is how its health shows.
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat")
