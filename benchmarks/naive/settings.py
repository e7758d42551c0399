"""The project's settings and tables, with views as in DRF's tutorial.

To be fair, it has little middleware, keeps connections open without health checks, and runs on the
same server with the same threads.
"""

from config.settings import *  # noqa: F403
from config.settings import DATABASES, REST_FRAMEWORK

ROOT_URLCONF = "benchmarks.naive.urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
REST_FRAMEWORK = REST_FRAMEWORK | {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": [],
}
for database in DATABASES.values():
    database["CONN_HEALTH_CHECKS"] = False
