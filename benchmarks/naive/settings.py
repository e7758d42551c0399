"""The project's settings and tables, with views as DRF's tutorial would write them.

To be fair: few middleware, connections that stay open unchecked, and the same server and threads.
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
