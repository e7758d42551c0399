"""Celery on Redis and RabbitMQ: real beat and workers, one queue per service."""

import os
import sqlite3
import sys
from pathlib import Path

import pytest
from kombu import Connection
from kombu.exceptions import KombuError

from tests.processes import copy_migrated_databases, environment, eventually, not_tested, running

pytestmark = pytest.mark.processes

CELERY = str(Path(sys.executable).parent / "celery")
RABBITMQ_URL = os.environ.get("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")


@pytest.fixture
def rabbitmq_url():
    try:
        with Connection(RABBITMQ_URL, connect_timeout=2) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    except (KombuError, OSError) as error:
        not_tested(f"on RabbitMQ at {RABBITMQ_URL}: {error}", is_needed=False)
    return RABBITMQ_URL


@pytest.mark.full
@pytest.mark.parametrize("broker", ["redis_url", "rabbitmq_url"])
def test_each_worker_runs_the_scheduled_jobs_of_its_own_queue(broker, request, tmp_path):
    env = environment(
        tmp_path,
        BROKER_URL=request.getfixturevalue(broker),
        SECRET_KEY="of this test alone",
        DATA_PROVIDER_URL="http://127.0.0.1:9",
        INGEST_SECONDS="1",
        COLLECT_SECONDS="1",
    )
    copy_migrated_databases(env)
    with sqlite3.connect(tmp_path / "client.sqlite3") as client:
        client.execute("INSERT INTO Jobs (Job_id, Job_status) VALUES (123, 'NEW')")

    with (
        worker(env, "repairjobs"),
        worker(env, "dashboard"),
        running(env, CELERY, "--quiet", "-A", "config", "beat"),
    ):
        collected, ingested = "collect_jobs: imported=1", "ingest_events stopped"
        eventually(lambda: collected in said(tmp_path, "repairjobs"), "a job is imported")
        eventually(lambda: ingested in said(tmp_path, "dashboard"), "an ingestion was tried")
        assert collected not in said(tmp_path, "dashboard")
        assert ingested not in said(tmp_path, "repairjobs")


def worker(env, queue):
    """Start a worker that writes its own log file."""
    log = Path(env["DATA_DIR"], f"{queue}.log")
    options = ["--pool", "prefork", "--concurrency", "1", "--queues", queue, "-n", f"{queue}@%h"]
    celery = [CELERY, "--quiet", "-A", "config", "worker", *options]
    return running(env, "sh", "-c", 'exec "$@" 2>"$0"', str(log), *celery)


def said(folder, queue):
    log = folder / f"{queue}.log"
    return log.read_text() if log.exists() else ""
