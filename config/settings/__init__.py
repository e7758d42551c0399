"""The settings, one module per concern. Everything that differs between machines comes from
environment variables; ``.env.example`` lists them."""

from config.settings.admin import *  # noqa: F403
from config.settings.api import *  # noqa: F403
from config.settings.celery import *  # noqa: F403
from config.settings.core import *  # noqa: F403
from config.settings.data_provider import *  # noqa: F403
from config.settings.databases import *  # noqa: F403
from config.settings.environment import *  # noqa: F403
from config.settings.logs import *  # noqa: F403
from config.settings.repair_jobs import *  # noqa: F403
from config.settings.services import *  # noqa: F403
from config.settings.sms import *  # noqa: F403
