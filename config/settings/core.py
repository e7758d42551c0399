"""Django itself: security, apps, middleware and templates."""

from django.core.exceptions import ImproperlyConfigured

from config.settings.databases import IS_EMBEDDED
from config.settings.environment import DATA_DIR, boolean, env
from config.settings.services import SERVES_ALL, SERVICES
from local.embedded import load_or_create_secret

DEBUG = boolean("DEBUG")
SECRET_KEY = env.str("SECRET_KEY", "")
if not SECRET_KEY:
    if not IS_EMBEDDED:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. Set it to a long random string. "
            "It is generated only if all databases are embedded."
        )
    SECRET_KEY = load_or_create_secret(DATA_DIR / "secret_key")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
# Trust X-Forwarded-For and X-Forwarded-Proto. Allowed only behind a proxy that sets both.
TRUST_PROXY = boolean("TRUST_PROXY")
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Redirect plain HTTP to HTTPS.
HTTPS = boolean("HTTPS")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# Monitoring reaches the process directly, by plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)/?$"]
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SILENCED_SYSTEM_CHECKS = [
    # HSTS preloading is the decision of the domain's owner.
    "security.W021",
    # A process without the admin uses no cookies.
    *([] if SERVES_ALL else ["security.W003"]),
    # Checks that the operator silences.
    *env.list("SILENCED_CHECKS", default=[]),
]

# Only a process that serves all services has the admin and its users.
_ADMIN_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
]
INSTALLED_APPS = [
    # First, because some of its templates replace templates of the other apps.
    "common",
    *(_ADMIN_APPS if SERVES_ALL else []),
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
# common.api_keys extends the library's model. The library's own table is not created.
MIGRATION_MODULES = {"rest_framework_api_key": None}
# Pages load everything from this process and have no inline scripts. Only the admin needs them:
# Alpine compiles attributes of its templates into functions.
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
# Users who open the login page directly are sent here after the login.
LOGIN_REDIRECT_URL = "/admin/"
