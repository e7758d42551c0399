"""Many jobs at once, while every store is away and every process is killed now and then."""

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

from local.launcher import commands
from tests.processes import (
    answers,
    environment,
    eventually,
    free_port,
    manage,
    not_tested,
    running,
)
from tests.repairjobs import town
from tests.repairjobs.mongod import NoMongod, running_mongod
from tests.servers import MariaDB, NoServer, Redis, our_own

pytestmark = pytest.mark.processes

BEATS = 2
LONG = 300.0  # seconds; a shop that stands still for so long is stuck

# What an operator would do in the admin.
RETRY = """
from django.utils import timezone
from repairjobs.models import OutboxTask
from repairjobs.services.outbox.runner import retry_task
for task in OutboxTask.objects.dead_letters():
    retry_task(task, at=timezone.now())
"""
SETTLE = """
import json, sys
from django.utils import timezone
from repairjobs.models import Sms, SmsState
from repairjobs.services.sms_delivery import resolve_sms
sent = set(json.load(open({known!r})))
for sms in Sms.objects.filter(state=SmsState.UNKNOWN):
    resolve_sms(sms, was_sent=str(sms.reference) in sent, at=timezone.now())
"""
SORTS = re.compile(
    r"GET new job|GET Job_status (IN PROGRESS|JOB COMPLETED)|PUT Job_status \w+|EVENT payment"
    r"|EVENT (courtesy|feedback) SMS (accepted|refused|not sent|not delivered)"
)
# The operator's own lines, of which there are as many as there was trouble.
BY_HAND = re.compile(r"EVENT \w+ task retried by hand|EVENT \w+ SMS resolved by hand: ")


class Office:
    """Our processes and our stores, each of which may be ended and started again."""

    def __init__(self, data, stack, vonage, mongod, workers):
        self.ours = stack.enter_context(our_own(MariaDB))
        self.theirs = stack.enter_context(our_own(MariaDB))
        self.broker = stack.enter_context(our_own(Redis))
        self.mongod = mongod
        self.stack = stack
        port = free_port()
        self.web = town.Web(f"http://127.0.0.1:{port}")
        self.env = environment(
            data,
            SECRET_KEY="for tests alone",
            SERVICES="repairjobs",
            REPAIRJOBS_DATABASE_URL=f"{self.ours.url}/repairjobs",
            CLIENT_DATABASE_URL=f"{self.theirs.url}/client",
            MONGO_URL=mongod.url,
            BROKER_URL=self.broker.url,
            **dict.fromkeys(["COLLECT_SECONDS", "FOLLOW_SECONDS", "OUTBOX_SECONDS"], "1"),
            SWEEP_SECONDS="2",
            OUTBOX_LEASE_SECONDS="5",
            SILENCED_CHECKS="repairjobs.E001,repairjobs.E003",  # for such a short lease
            API_KEYS_REQUIRED="false",
            SMS_UNKNOWN_SECONDS="2",
            SMS_PER_SECOND="500",
            **vonage.environment | {"VONAGE_TIMEOUT": "1"},
        )
        run = {name: shlex.split(each) for name, each in commands(port, ["repairjobs"]).items()}
        # Prefork, as in production: a child that is killed, and connections behind a fork, are
        # what may go wrong there. One child each, as more would only wait for this machine's cores.
        worker = [sys.executable, "-m", "celery", "--quiet", "-A", "config", "worker"]
        worker += ["--pool", "prefork", "--concurrency", "1", "--queues", "repairjobs"]
        worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        self.workers = workers
        self.commands = [worker] * workers + [run["beat"]] * BEATS
        self.web_command = run["web"]
        self.processes = []

    def open(self):
        for server, database in [(self.ours, "repairjobs"), (self.theirs, "client")]:
            self.ask(server, None, f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
        for command in ("migrate_databases", "create_client_database"):
            assert manage(self.env, command).returncode == 0
        for statement in town.HISTORY:
            self.ask(self.theirs, "client", statement)
        web = self.start(self.web_command)
        self.processes = [*(self.start(command) for command in self.commands), web]
        eventually(lambda: answers(f"{self.web.url}/readyz"), "all stores are there")
        # So that the first jobs are no table that was in use before us.
        live = "SELECT 1 FROM repairjobs_importcursor WHERE is_live"
        eventually(lambda: self.ask(self.ours, "repairjobs", live), "the first collect is over")

    def close(self):
        """End our processes at once, as nobody waits for what they do any more."""
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
        done = manage(self.env, "shell", "-c", script)
        assert done.returncode == 0, done.stderr

    # --- mischief ---

    def replace(self, place):
        """Kill a worker or a beat with all that it started, and start another one."""
        process = self.processes[place]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.processes[place] = self.start(self.commands[place])

    def kill_child(self, place):
        """Kill the process that does a worker's work; the worker is to see to it."""
        pid = self.processes[place].pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        for child in eventually(lambda: children.read_text().split(), "the worker has a child"):
            os.kill(int(child), signal.SIGKILL)

    def flush(self):
        with redis.Redis.from_url(self.broker.url) as broker:
            broker.flushall()

    def lose(self, name, server, end):
        """End a store, until the web process knows; started again, it must know that too."""
        end()
        eventually(lambda: self.check(name) == "away", f"{name} is away")
        server.start()
        eventually(lambda: self.check(name) == "ok", f"{name} is back")

    def check(self, name):
        answer = town.requests.get(f"{self.web.url}/readyz", timeout=60)
        assert answer.status_code in {200, 503}, answer.text
        return answer.json()["checks"][name]

    def mischief(self, rng):
        worker, beat = partial(rng.randrange, self.workers), partial(rng.randrange, BEATS)
        return {
            "a worker is killed": lambda: self.replace(worker()),
            "another worker is killed": lambda: self.replace(worker()),
            "a worker's child is killed": lambda: self.kill_child(worker()),
            "a beat is killed": lambda: self.replace(self.workers + beat()),
            "the broker is flushed": self.flush,
            "the broker is flushed again": self.flush,
            "the broker is killed": lambda: self.lose("broker", self.broker, self.broker.kill),
            "our database is killed": lambda: self.lose("repairjobs", self.ours, self.ours.kill),
            "our database is stopped": lambda: self.lose("repairjobs", self.ours, self.ours.stop),
            "the client's is killed": lambda: self.lose("client", self.theirs, self.theirs.kill),
            "the client's is stopped": lambda: self.lose("client", self.theirs, self.theirs.stop),
            "mongod is killed": lambda: self.lose("documents", self.mongod, self.mongod.kill),
        }

    # --- how far it is ---

    def steps(self):
        return self.ask(self.theirs, "client", "SELECT COUNT(*) FROM history")[0][0]

    def closed(self):
        query = "SELECT COUNT(*) FROM Jobs WHERE Job_status = 'CLOSED'"
        return self.ask(self.theirs, "client", query)[0][0]

    def owed(self):
        query = "SELECT kind, subject, due_at, attempts, last_error FROM repairjobs_outboxtask"
        owed = self.ask(self.ours, "repairjobs", query)
        if any(due_at is None for _, _, due_at, *_ in owed):
            self.operate(RETRY)
        return owed


@pytest.fixture
def office(vonage, tmp_path, workers):
    vonage.seconds_slow = 2.0
    # Sockets have short names.
    with ExitStack() as stack:
        try:
            mongod = stack.enter_context(running_mongod())
            office = Office(tmp_path, stack, vonage, mongod, workers)
        except (NoMongod, NoServer) as error:
            not_tested(f"the repair jobs' soak: {error}")
        yield office
        office.close()


@pytest.mark.skipif(sys.platform != "linux", reason="kills by Linux's rules")
@pytest.mark.parametrize(
    ("jobs", "workers", "rounds"),
    [
        pytest.param(100, 2, 1, id="100"),
        pytest.param(2_000, 5, 4, id="2000", marks=pytest.mark.soak),
    ],
)
def test_whatever_fails_each_job_is_closed_and_told_once(office, vonage, jobs, rounds):
    rng = random.Random(jobs)
    office.open()
    vonage.fail_at_random(seed=jobs, share=1 / 3)
    client = town.Client(office.theirs, jobs=jobs, rng=random.Random(1))
    payers = town.Payers(office.theirs, office.web, jobs=jobs, rng=random.Random(2))
    carrier = town.Carrier(vonage, office.web, rng=random.Random(3))
    readers = town.Readers(office.web, jobs=jobs, rng=random.Random(4))
    neighbours = [client, payers, carrier, readers]
    for each in neighbours:
        each.start()
        office.stack.callback(each.end)

    def once(check, what):
        """Wait for that while nobody has seen anything wrong."""
        eventually(lambda: [n for n in neighbours if n.error] or check(), what, LONG)
        for each in neighbours:
            if each.error:
                raise each.error

    mischief = office.mischief(rng)
    plan = [name for _ in range(rounds) for name in rng.sample(list(mischief), len(mischief))]
    for number, name in enumerate(plan, 1):
        mark = jobs * 3 * number // len(plan)
        once(lambda mark=mark: office.steps() >= mark, f"{mark} steps, before {name}")
        mischief[name]()

    vonage.mix = lambda reference, attempt: None
    once(lambda: office.closed() == jobs, "all are closed")
    quiet_since = len(office.log())
    once(lambda: payers.paid == payers.todo, "all have paid")
    carrier.is_last_call = True
    once(lambda: not office.owed() and carrier.is_idle(), "nothing is owed")
    known = Path(office.env["DATA_DIR"], "known.json")
    known.write_text(json.dumps([each.client_ref for each in vonage.accepted]))
    office.operate(SETTLE.format(known=str(known)))
    once(lambda: not office.owed() and carrier.is_idle(), "nothing is owed any more")

    assert differences(office, vonage, payers, carrier, jobs) == []
    reconciled = manage(office.env, "reconcile_jobs")
    assert "No difference" in reconciled.stdout, reconciled.stdout
    assert office.web.statuses[503] > 0
    # Whoever outlived all that works as before.
    assert "raised unexpected" not in office.log()[quiet_since:]


def differences(office, vonage, payers, carrier, jobs):
    """Where the ledger differs from what the client's table, Vonage and the payers saw."""
    ledger, written = defaultdict(Counter), defaultdict(Counter)
    for job_id, note in office.ask(
        office.ours, "repairjobs", "SELECT Job_id, Update_note FROM job_trans"
    ):
        if BY_HAND.match(note):
            continue
        sort = SORTS.match(note)
        ledger[job_id][sort[0] if sort else note] += 1
    for job_id, status in office.ask(office.theirs, "client", "SELECT Job_id, status FROM history"):
        written[job_id][town.normalize_status(status)] += 1
    accepted = Counter(town.job_of(each) for each in vonage.accepted)
    undeliverable = {
        town.job_of(each) for each in vonage.accepted if each.client_ref in carrier.undeliverable
    }
    found = []
    for job_id in range(1, jobs + 1):
        lines, changes = ledger.pop(job_id, Counter()), written[job_id]
        # The client may have gone on before we looked.
        seen_at_work = lines.pop("GET Job_status IN PROGRESS", 0)
        expected = {
            "GET new job": 1,
            "GET Job_status JOB COMPLETED": changes["JOB COMPLETED"],
            "PUT Job_status OPENED": changes["OPENED"],
            "PUT Job_status CLOSED": changes["CLOSED"],
            "EVENT payment": payers.paid[job_id],
        }
        for kind in ("courtesy", "feedback"):
            expected |= outcome(
                kind, lines, accepted[job_id, kind], (job_id, kind) in undeliverable
            )
        is_whole = changes["OPENED"] == changes["CLOSED"] == changes["JOB COMPLETED"] == 1
        if lines != expected or not is_whole or seen_at_work > changes["IN PROGRESS"]:
            found.append(f"job {job_id}: {dict(lines)}, not {expected}; the client: {changes}")
        texts = accepted[job_id, "courtesy"], accepted[job_id, "feedback"]
        if max(texts) > 1:
            found.append(f"job {job_id}: texted {texts} times")
    return found + [f"job {job_id}: nobody's" for job_id in ledger]


def outcome(kind, lines, accepted, is_undeliverable):
    """The lines that an SMS should have left: one of what became of it."""
    sms = f"EVENT {kind} SMS"
    if is_undeliverable:
        # Perhaps the first that was heard of it.
        first = lines[f"{sms} accepted"]
        return {f"{sms} not delivered": 1} | ({f"{sms} accepted": 1} if first else {})
    if accepted:
        return {f"{sms} accepted": 1}
    is_refused = bool(lines[f"{sms} refused"])
    return {f"{sms} refused" if is_refused else f"{sms} not sent": 1}
