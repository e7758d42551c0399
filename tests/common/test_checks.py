import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from common.checks import SETTINGS, reject_unsafe_settings
from config.settings import MYSQL_OPTIONS
from tests.common.test_security import IN_PRODUCTION
from tests.processes import PATIENCE, ROOT, environment, manage

MYSQL = {"ENGINE": "django.db.backends.mysql"}


def found():
    return {each.id: each for each in run_checks(tags=[SETTINGS])}


class TestChecks:
    def test_find_nothing_wrong_with_the_defaults(self):
        assert found() == {}
        reject_unsafe_settings()

    @pytest.mark.parametrize(
        ("id", "changes"),
        [
            ("common.E001", {"CELERY_BROKER_TRANSPORT_OPTIONS": {"visibility_timeout": 900}}),
            ("common.E001", {"CELERY_TASK_TIME_LIMIT": 3600}),
            ("repairjobs.E001", {"OUTBOX_TIME_LIMIT": 60.0}),
            ("repairjobs.E002", {"OUTBOX_TIME_LIMIT": 30.0}),
            ("repairjobs.E003", {"VONAGE_TIMEOUT": 28}),
            ("repairjobs.E003", {"OUTBOX_LEASE": timedelta(seconds=20)}),
            ("repairjobs.E004", {"CLIENT_IS_EMBEDDED": False, "SMS_BACKEND_IS_NAMED": False}),
            ("dashboard.E001", {"INGEST_LEASE": timedelta(seconds=25)}),
        ],
    )
    def test_refuse_what_is_unsafe(self, settings, id, changes):
        settings.CELERY_BROKER_URL = "redis://127.0.0.1"
        for name, value in changes.items():
            setattr(settings, name, value)

        assert found()[id].hint
        with pytest.raises(ImproperlyConfigured, match=id):
            reject_unsafe_settings()

    @pytest.mark.parametrize(
        ("id", "options"),
        [
            ("common.E002", {"init_command": "SET time_zone = '+00:00'"}),
            ("common.E002", {"init_command": "SET sql_mode = ''"}),
            ("common.E003", {"isolation_level": "repeatable read"}),
            ("common.E003", {"isolation_level": None}),
            (None, {}),
        ],
    )
    def test_refuse_a_lenient_mysql(self, settings, monkeypatch, id, options):
        database = MYSQL | {"OPTIONS": MYSQL_OPTIONS | options}
        monkeypatch.setitem(settings.DATABASES, "repairjobs", database)

        assert set(found()) == {id} - {None}

    def test_may_be_overruled(self, settings):
        settings.INGEST_LEASE = timedelta(seconds=1)
        settings.SILENCED_SYSTEM_CHECKS = ["dashboard.E001"]

        reject_unsafe_settings()


CELERY = ["-m", "celery", "-A", "config"]


@pytest.mark.processes
class TestProcesses:
    @pytest.mark.parametrize(
        "command",
        [
            ["-c", "import config.wsgi"],
            [*CELERY, "worker", "--pool", "solo"],
            [*CELERY, "beat", "-S", "celery.beat.Scheduler"],
            ["manage.py", "migrate_databases"],
            ["-m", "local"],
        ],
        ids=["web", "worker", "beat", "migrate_databases", "run"],
    )
    def test_do_not_begin_with_unsafe_settings(self, tmp_path, command):
        env = environment(tmp_path, INGEST_LEASE_SECONDS="5")

        ran = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=env,
            text=True,
            capture_output=True,
            timeout=PATIENCE,
        )

        assert ran.returncode != 0
        assert "dashboard.E001" in ran.stderr
        assert "Raise INGEST_LEASE_SECONDS" in ran.stderr

    def test_begin_with_those_of_production(self, tmp_path):
        assert manage(environment(tmp_path, **IN_PRODUCTION), "check").returncode == 0

    def test_ask_how_sms_leave_where_there_is_a_client(self, tmp_path):
        env = environment(tmp_path, **IN_PRODUCTION | {"SMS_BACKEND": ""})

        assert "repairjobs.E004" in manage(env, "check").stderr
