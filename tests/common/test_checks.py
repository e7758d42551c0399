import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from common.checks import SETTINGS, reject_unsafe_settings
from config.settings.databases import MYSQL_OPTIONS
from tests.common.test_security import PRODUCTION_SETTINGS
from tests.processes import PATIENCE, ROOT, environment, manage

MYSQL = {"ENGINE": "django.db.backends.mysql"}


def errors():
    return {error.id: error for error in run_checks(tags=[SETTINGS])}


class TestChecks:
    def test_the_default_settings_pass(self):
        assert errors() == {}
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
    def test_unsafe_settings_are_rejected_with_a_hint(self, settings, id, changes):
        settings.CELERY_BROKER_URL = "redis://127.0.0.1"
        for name, value in changes.items():
            setattr(settings, name, value)

        assert errors()[id].hint
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
    def test_a_mysql_connection_without_strict_mode_or_read_committed_is_rejected(
        self, settings, monkeypatch, id, options
    ):
        database = MYSQL | {"OPTIONS": MYSQL_OPTIONS | options}
        monkeypatch.setitem(settings.DATABASES, "repairjobs", database)

        assert set(errors()) == {id} - {None}

    def test_a_check_can_be_silenced(self, settings):
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
    def test_no_process_starts_with_unsafe_settings(self, tmp_path, command):
        env = environment(tmp_path, INGEST_LEASE_SECONDS="5")

        process = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=env,
            text=True,
            capture_output=True,
            timeout=PATIENCE,
        )

        assert process.returncode != 0
        assert "dashboard.E001" in process.stderr
        assert "Raise INGEST_LEASE_SECONDS" in process.stderr

    def test_the_production_settings_pass(self, tmp_path):
        assert manage(environment(tmp_path, **PRODUCTION_SETTINGS), "check").returncode == 0

    def test_a_client_on_a_server_needs_an_explicit_sms_backend(self, tmp_path):
        env = environment(tmp_path, **PRODUCTION_SETTINGS | {"SMS_BACKEND": ""})

        assert "repairjobs.E004" in manage(env, "check").stderr
