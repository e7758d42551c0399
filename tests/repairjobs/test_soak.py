"""Many jobs at once, while databases become unavailable and processes are killed."""

import json
import os
import random
import re
import shlex
import signal
import sys
from collections import Counter, defaultdict
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path

import pytest
import redis
import requests

from local.launcher import commands
from repairjobs.models import normalize_status
from tests.processes import (
    answers,
    environment,
    eventually,
    free_port,
    manage,
    not_tested,
    running,
)
from tests.servers import MariaDB, NoServer, Redis, new_server
from tests.support.repairjobs import actors
from tests.support.repairjobs.mongod import NoMongod, running_mongod

pytestmark = pytest.mark.processes

BEATS = 2
PATIENCE = 300.0  # seconds without progress; after that the app is stuck

# Actions of an operator, as in the admin.
RETRY = """
from django.utils import timezone
from repairjobs.models import OutboxTask
from repairjobs.services.outbox.runner import retry_task
for task in OutboxTask.objects.dead_letters():
    retry_task(task, at=timezone.now())
"""
RESOLVE = """
import json, sys
from django.utils import timezone
from repairjobs.models import Sms, SmsState
from repairjobs.services.sms_delivery import resolve_sms
references = set(json.load(open({path!r})))
for sms in Sms.objects.filter(state=SmsState.UNKNOWN):
    resolve_sms(sms, was_sent=str(sms.reference) in references, at=timezone.now())
"""
EVENTS = re.compile(
    r"GET new job|GET Job_status (IN PROGRESS|JOB COMPLETED)|PUT Job_status \w+|EVENT payment"
    r"|EVENT (courtesy|feedback) SMS (accepted|refused|not sent|not delivered)"
)
# Ledger lines of the operator; their number depends on the failures.
BY_HAND = re.compile(r"EVENT \w+ task retried by hand|EVENT \w+ SMS resolved by hand: ")


class Installation:
    """The app's processes and databases, which can be stopped and restarted one by one."""

    def __init__(self, folder, stack, vonage, mongod, workers):
        self.database = stack.enter_context(new_server(MariaDB))
        self.client_database = stack.enter_context(new_server(MariaDB))
        self.broker = stack.enter_context(new_server(Redis))
        self.mongod = mongod
        self.stack = stack
        port = free_port()
        self.api = actors.Api(f"http://127.0.0.1:{port}")
        self.env = environment(
            folder,
            SECRET_KEY="for tests alone",
            SERVICES="repairjobs",
            REPAIRJOBS_DATABASE_URL=f"{self.database.url}/repairjobs",
            CLIENT_DATABASE_URL=f"{self.client_database.url}/client",
            MONGO_URL=mongod.url,
            BROKER_URL=self.broker.url,
            **dict.fromkeys(["COLLECT_SECONDS", "FOLLOW_SECONDS", "OUTBOX_SECONDS"], "1"),
            SWEEP_SECONDS="2",
            OUTBOX_LEASE_SECONDS="5",
            SILENCED_CHECKS="repairjobs.E001,repairjobs.E003",  # they reject such a short lease
            API_KEYS_REQUIRED="false",
            SMS_UNKNOWN_SECONDS="2",
            SMS_PER_SECOND="500",
            **vonage.environment | {"VONAGE_TIMEOUT": "1"},
        )
        launcher = {
            name: shlex.split(command) for name, command in commands(port, ["repairjobs"]).items()
        }
        # Prefork, as in production: children may be killed, and connections cross a fork. One child
        # per worker, because more would only wait for this machine's cores.
        worker = [sys.executable, "-m", "celery", "--quiet", "-A", "config", "worker"]
        worker += ["--pool", "prefork", "--concurrency", "1", "--queues", "repairjobs"]
        worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        self.workers = workers
        self.commands = [worker] * workers + [launcher["beat"]] * BEATS
        self.web_command = launcher["web"]
        self.processes = []

    def start_all(self):
        for server, database in [(self.database, "repairjobs"), (self.client_database, "client")]:
            self.ask(server, None, f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
        for command in ("migrate_databases", "create_client_database"):
            assert manage(self.env, command).returncode == 0
        for statement in actors.HISTORY:
            self.ask(self.client_database, "client", statement)
        web = self.start(self.web_command)
        self.processes = [*(self.start(command) for command in self.commands), web]
        eventually(lambda: answers(f"{self.api.url}/readyz"), "all databases are available")
        # Otherwise the first jobs might be on hold, as those of a table that was in use before.
        live = "SELECT 1 FROM repairjobs_importcursor WHERE is_live"
        is_live = partial(self.ask, self.database, "repairjobs", live)
        eventually(is_live, "the first import is complete")

    def kill_all(self):
        """Kill the processes; their work is not needed any more."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def start(self, command):
        return self.stack.enter_context(running(self.env, *command))

    def ask(self, server, database, query):
        with closing(server.connected(database)) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            return cursor.fetchall()

    def log(self):
        return Path(self.env["DATA_DIR"], "output.log").read_text(errors="replace")

    def operate(self, script):
        result = manage(self.env, "shell", "-c", script)
        assert result.returncode == 0, result.stderr

    # --- Failures ---

    def replace(self, index):
        """Kill a worker or a beat with its children, and start a new one."""
        process = self.processes[index]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.processes[index] = self.start(self.commands[index])

    def kill_child(self, index):
        """Kill the child that does a worker's tasks; the worker must replace it."""
        pid = self.processes[index].pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        for child in eventually(lambda: children.read_text().split(), "the worker has a child"):
            os.kill(int(child), signal.SIGKILL)

    def flush_broker(self):
        with redis.Redis.from_url(self.broker.url) as broker:
            broker.flushall()

    def interrupt(self, name, server, end):
        """Stop a server until the web process reports that, and restart it."""
        end()
        eventually(lambda: self.readiness_of(name) != "ok", f"{name} is reported as unavailable")
        server.start()
        eventually(lambda: self.readiness_of(name) == "ok", f"{name} is reported as available")

    def readiness_of(self, name):
        response = requests.get(f"{self.api.url}/readyz", timeout=60)
        assert response.status_code in {200, 503}, response.text
        return response.json()["checks"][name]

    def failures(self, rng):
        worker, beat = partial(rng.randrange, self.workers), partial(rng.randrange, BEATS)
        return {
            "a worker is killed": lambda: self.replace(worker()),
            "another worker is killed": lambda: self.replace(worker()),
            "a worker's child is killed": lambda: self.kill_child(worker()),
            "a beat is killed": lambda: self.replace(self.workers + beat()),
            "the broker is flushed": self.flush_broker,
            "the broker is flushed again": self.flush_broker,
            "the broker is killed": lambda: self.interrupt("broker", self.broker, self.broker.kill),
            "our database is killed": lambda: self.interrupt(
                "repairjobs", self.database, self.database.kill
            ),
            "our database is stopped": lambda: self.interrupt(
                "repairjobs", self.database, self.database.stop
            ),
            "the client's is killed": lambda: self.interrupt(
                "client", self.client_database, self.client_database.kill
            ),
            "the client's is stopped": lambda: self.interrupt(
                "client", self.client_database, self.client_database.stop
            ),
            "mongod is killed": lambda: self.interrupt("documents", self.mongod, self.mongod.kill),
        }

    # --- Progress ---

    def count_status_changes(self):
        return self.ask(self.client_database, "client", "SELECT COUNT(*) FROM history")[0][0]

    def count_closed(self):
        query = "SELECT COUNT(*) FROM Jobs WHERE Job_status = 'CLOSED'"
        return self.ask(self.client_database, "client", query)[0][0]

    def outbox(self):
        """Return the outbox tasks that are left, and retry the dead letters among them."""
        query = "SELECT kind, subject, due_at, attempts, last_error FROM repairjobs_outboxtask"
        tasks = self.ask(self.database, "repairjobs", query)
        if any(due_at is None for _, _, due_at, *_ in tasks):
            self.operate(RETRY)
        return tasks


@pytest.fixture
def installation(vonage, tmp_path, workers):
    vonage.slow_seconds = 2.0
    with ExitStack() as stack:
        try:
            mongod = stack.enter_context(running_mongod())
            installation = Installation(tmp_path, stack, vonage, mongod, workers)
        except (NoMongod, NoServer) as error:
            not_tested(f"the repair jobs' soak: {error}")
        yield installation
        installation.kill_all()


@pytest.mark.skipif(sys.platform != "linux", reason="needs signals as Linux has them")
@pytest.mark.parametrize(
    ("jobs", "workers", "rounds"),
    [
        pytest.param(100, 2, 1, id="100 jobs", marks=pytest.mark.full),
        pytest.param(2_000, 5, 4, id="2000 jobs", marks=pytest.mark.soak),
    ],
)
def test_each_job_is_closed_and_texted_once_despite_all_failures(
    installation, vonage, jobs, rounds
):
    rng = random.Random(jobs)
    installation.start_all()
    vonage.fail_at_random(seed=jobs, share=1 / 3)
    client_database, api = installation.client_database, installation.api
    client = actors.Client(client_database, jobs=jobs, rng=random.Random(1))
    payers = actors.Payers(client_database, api, jobs=jobs, rng=random.Random(2))
    carrier = actors.Carrier(vonage, api, rng=random.Random(3))
    readers = actors.Readers(api, jobs=jobs, rng=random.Random(4))
    all_actors = [client, payers, carrier, readers]
    for actor in all_actors:
        actor.start()
        installation.stack.callback(actor.end)

    def wait_until(check, description):
        """Wait for the check, and raise the error of an actor as soon as there is one."""
        eventually(
            lambda: any(actor.error for actor in all_actors) or check(), description, PATIENCE
        )
        for actor in all_actors:
            if actor.error:
                raise actor.error

    failures = installation.failures(rng)
    plan = [name for _ in range(rounds) for name in rng.sample(list(failures), len(failures))]
    for number, name in enumerate(plan, 1):
        changes = jobs * 3 * number // len(plan)
        wait_until(
            lambda changes=changes: installation.count_status_changes() >= changes,
            f"{changes} changes of statuses, before {name}",
        )
        failures[name]()

    vonage.mix = lambda reference, attempt: None
    wait_until(lambda: installation.count_closed() == jobs, "all jobs are closed")
    log_size = len(installation.log())
    wait_until(lambda: payers.paid == payers.planned, "all jobs are paid")
    carrier.is_finishing = True

    def is_finished():
        return not installation.outbox() and carrier.is_idle()

    wait_until(is_finished, "the outbox is empty")
    references = Path(installation.env["DATA_DIR"], "references.json")
    references.write_text(json.dumps([sms.client_ref for sms in vonage.accepted]))
    installation.operate(RESOLVE.format(path=str(references)))
    wait_until(is_finished, "the outbox is empty again")

    assert differences(installation, vonage, payers, carrier, jobs) == []
    reconciliation = manage(installation.env, "reconcile_jobs")
    assert "No difference" in reconciliation.stdout, reconciliation.stdout
    assert api.statuses[503] > 0
    # Processes that survived all failures work as before.
    assert "raised unexpected" not in installation.log()[log_size:]


def differences(installation, vonage, payers, carrier, jobs):
    """Compare the ledger with the client's table, Vonage's record and the payers' record."""
    ledger, client_changes = defaultdict(Counter), defaultdict(Counter)
    for job_id, note in installation.ask(
        installation.database, "repairjobs", "SELECT Job_id, Update_note FROM job_trans"
    ):
        if BY_HAND.match(note):
            continue
        event = EVENTS.match(note)
        ledger[job_id][event[0] if event else note] += 1
    for job_id, status in installation.ask(
        installation.client_database, "client", "SELECT Job_id, status FROM history"
    ):
        client_changes[job_id][normalize_status(status)] += 1
    accepted = Counter(actors.job_and_kind_of(sms) for sms in vonage.accepted)
    undeliverable = {
        actors.job_and_kind_of(sms)
        for sms in vonage.accepted
        if sms.client_ref in carrier.undeliverable
    }
    problems = []
    for job_id in range(1, jobs + 1):
        lines, changes = ledger.pop(job_id, Counter()), client_changes[job_id]
        # The client may have completed the job before the next sync.
        in_progress_lines = lines.pop("GET Job_status IN PROGRESS", 0)
        expected = {
            "GET new job": 1,
            "GET Job_status JOB COMPLETED": changes["JOB COMPLETED"],
            "PUT Job_status OPENED": changes["OPENED"],
            "PUT Job_status CLOSED": changes["CLOSED"],
            "EVENT payment": payers.paid[job_id],
        }
        for kind in ("courtesy", "feedback"):
            expected |= expected_sms_lines(
                kind, lines, accepted[job_id, kind], (job_id, kind) in undeliverable
            )
        is_complete = changes["OPENED"] == changes["CLOSED"] == changes["JOB COMPLETED"] == 1
        if lines != expected or not is_complete or in_progress_lines > changes["IN PROGRESS"]:
            problems.append(f"job {job_id}: {dict(lines)}, not {expected}; the client: {changes}")
        sms_counts = accepted[job_id, "courtesy"], accepted[job_id, "feedback"]
        if max(sms_counts) > 1:
            problems.append(f"job {job_id}: texted {sms_counts} times")
    return problems + [f"job {job_id}: unknown" for job_id in ledger]


def expected_sms_lines(kind, lines, accepted, is_undeliverable):
    """Return the ledger lines that an SMS with this outcome leaves."""
    sms = f"EVENT {kind} SMS"
    if is_undeliverable:
        # The receipt may come before Vonage's response is recorded.
        accepted_lines = {f"{sms} accepted": 1} if lines[f"{sms} accepted"] else {}
        return {f"{sms} not delivered": 1} | accepted_lines
    if accepted:
        return {f"{sms} accepted": 1}
    is_refused = bool(lines[f"{sms} refused"])
    return {f"{sms} refused" if is_refused else f"{sms} not sent": 1}
