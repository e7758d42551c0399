"""The people and systems around the repair jobs, each a thread: client, payers, Vonage, readers."""

import random
import re
from collections import Counter
from contextlib import closing
from threading import Event, Lock, Thread
from typing import Any

import pymysql
import requests

from repairjobs.models import normalize_status
from tests.servers import MariaDB
from tests.support.repairjobs.fake_vonage import FakeVonage
from tests.support.repairjobs.vonage_webhooks import AcceptedSms, Webhook, status_webhook

PAUSE = 0.05
BAD_NUMBERS = ["", "none", "12"]
SPELLINGS = {
    "IN PROGRESS": ["IN PROGRESS", "In Progress", " in  progress "],
    "JOB COMPLETED": ["JOB COMPLETED", "Job Completed"],
}
# Every change of the client's table, recorded by a trigger.
HISTORY = [
    "CREATE TABLE history (id INT AUTO_INCREMENT PRIMARY KEY, Job_id INT, status VARCHAR(255))",
    "CREATE TRIGGER written AFTER UPDATE ON Jobs FOR EACH ROW"
    " INSERT INTO history (Job_id, status) VALUES (NEW.Job_id, NEW.Job_status)",
]


class UnexpectedResponse(Exception):
    """The app answered in a way that no user should ever see."""


class Actor(Thread):
    """Acts again and again until told to end; ignores databases that are unavailable."""

    def __init__(self) -> None:
        super().__init__()
        self.is_over = Event()
        self.error: Exception | None = None

    def act(self) -> None:
        raise NotImplementedError

    def run(self) -> None:
        while not self.is_over.wait(PAUSE):
            try:
                self.act()
            except pymysql.MySQLError:
                continue
            except Exception as error:
                self.error = error
                return

    def end(self) -> None:
        self.is_over.set()
        self.join()


class Api:
    """The app's HTTP API. It may answer that a database is unavailable."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.lock = Lock()
        self.statuses: Counter[int] = Counter()

    def request(self, method: str, path: str, **options: Any) -> requests.Response | None:
        """Return the response; None if a database is unavailable, so that the actor retries."""
        response = requests.request(method, self.url + path, timeout=60, **options)
        self.check(response.status_code, f"{method} {path}: {response.text[:300]}")
        if response.status_code != 503:
            return response
        if "Retry-After" not in response.headers:
            raise UnexpectedResponse(f"{method} {path}: 503 without Retry-After")
        return None

    def check(self, status: int, description: str) -> None:
        with self.lock:
            self.statuses[status] += 1
        if status not in {200, 201, 404, 503}:
            raise UnexpectedResponse(f"{status}: {description}")


class Client(Actor):
    """Adds jobs a few at a time, and works on the open ones."""

    def __init__(self, database: MariaDB, *, jobs: int, rng: random.Random) -> None:
        super().__init__()
        self.database = database
        self.rng = rng
        self.coming_ids = list(range(1, jobs + 1))
        rng.shuffle(self.coming_ids)
        self.batch_size = max(jobs // 20, 5)

    def act(self) -> None:
        with closing(self.database.connected("client")) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT Job_id, Job_status FROM Jobs WHERE Job_status <> 'CLOSED'")
            statuses = {job_id: normalize_status(status) for job_id, status in cursor.fetchall()}
            if list(statuses.values()).count("NEW") < self.batch_size:
                self.add_jobs(cursor)
            for job_id, status in statuses.items():
                if self.rng.random() < 0.5:
                    self.work_on(job_id, status, cursor)

    def add_jobs(self, cursor: Any) -> None:
        cursor.executemany(
            "INSERT IGNORE INTO Jobs VALUES"
            " (%s, 'REPAIR', 'NEW', 'Test', 'Customer', 'AB1 2CD', %s, 'KE-1', 'Kettle')",
            [(job_id, self.number(job_id)) for job_id in self.coming_ids[: self.batch_size]],
        )
        self.coming_ids = self.coming_ids[self.batch_size :]

    def number(self, job_id: int) -> str:
        rng = random.Random(job_id)
        return rng.choice(BAD_NUMBERS) if rng.random() < 0.02 else f"07700 900{job_id % 1000:03}"

    def work_on(self, job_id: int, status: str, cursor: Any) -> None:
        next_statuses = {
            "OPENED": ["IN PROGRESS"] * 9 + ["JOB COMPLETED"],
            "IN PROGRESS": ["JOB COMPLETED"],
        }
        if status in next_statuses:
            spelling = self.rng.choice(SPELLINGS[self.rng.choice(next_statuses[status])])
            cursor.execute("UPDATE Jobs SET Job_status = %s WHERE Job_id = %s", (spelling, job_id))


class Payers(Actor):
    """Pay each job once or twice, some early. Some payments are reported twice."""

    def __init__(self, database: MariaDB, api: Api, *, jobs: int, rng: random.Random) -> None:
        super().__init__()
        self.database, self.api = database, api
        self.rng = rng
        ids = range(1, jobs + 1)
        self.early_ids = {job_id for job_id in ids if rng.random() < 0.3}
        self.planned = {job_id: rng.choice([1, 1, 1, 1, 2]) for job_id in ids}
        self.paid: Counter[int] = Counter()

    def act(self) -> None:
        with closing(self.database.connected("client")) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT Job_id, Job_status FROM Jobs WHERE Job_status <> 'CLOSED'")
            statuses = {job_id: normalize_status(status) for job_id, status in cursor.fetchall()}
        for job_id, status in statuses.items():
            is_due = job_id in self.early_ids or status == "JOB COMPLETED"
            while is_due and self.paid[job_id] < self.planned[job_id] and self.pay(job_id):
                self.paid[job_id] += 1

    def pay(self, job_id: int) -> bool:
        """Report a payment, perhaps twice. Return whether it was recorded."""
        reference = f"P-{job_id}-{self.paid[job_id]}"
        payment = {"reference": reference, "amount": "9.00", "currency": "GBP"}
        response = self.api.request("POST", f"/jobs/{job_id}/payments", json=payment)
        is_recorded = response is not None and response.ok
        if is_recorded and self.rng.random() < 0.2:
            repeated = self.api.request("POST", f"/jobs/{job_id}/payments", json=payment)
            if repeated is not None and repeated.status_code != 200:
                raise UnexpectedResponse(f"a repeated payment: {repeated.status_code}")
        return is_recorded


class Carrier(Actor):
    """Sends Vonage's webhooks: late, some twice, some never, in any order; again after a 503."""

    MAX_WAITING = 30

    def __init__(self, vonage: FakeVonage, api: Api, *, rng: random.Random) -> None:
        super().__init__()
        self.vonage, self.api = vonage, api
        self.rng = rng
        self.handled = 0  # SMS whose webhooks are planned
        self.waiting: list[Webhook] = []
        self.undeliverable: set[str] = set()
        self.is_finishing = False

    def act(self) -> None:
        new_sms = self.vonage.accepted[self.handled :]
        self.handled += len(new_sms)
        for sms in new_sms:
            self.waiting += self.webhooks_about(sms)
        while len(self.waiting) > (0 if self.is_finishing else self.MAX_WAITING):
            self.send(self.waiting.pop(self.rng.randrange(len(self.waiting))))

    def webhooks_about(self, sms: AcceptedSms) -> list[Webhook]:
        fate = self.rng.random()
        if fate < 0.05:
            return []
        if fate < 0.1:
            self.undeliverable.add(sms.client_ref)
        final_status = "undeliverable" if fate < 0.1 else "delivered"
        webhooks = [status_webhook(sms, "submitted"), status_webhook(sms, final_status)]
        return webhooks + [webhook for webhook in webhooks if self.rng.random() < 0.1]

    def send(self, webhook: Webhook) -> None:
        (status,) = webhook.send(f"{self.api.url}/webhooks/vonage/status")
        self.api.check(status, "a webhook")
        if status == 503:
            self.waiting.append(webhook)

    def is_idle(self) -> bool:
        return self.handled == len(self.vonage.accepted) and not self.waiting


class Readers(Actor):
    """Read lists, jobs and pages while everything else happens."""

    def __init__(self, api: Api, *, jobs: int, rng: random.Random) -> None:
        super().__init__()
        self.api, self.jobs, self.rng = api, jobs, rng

    def act(self) -> None:
        job = f"/jobs/{self.rng.randint(1, self.jobs)}"
        lists = ["/jobs?limit=5", "/jobs?attention=true&limit=5", "/transactions?limit=5"]
        paths = [*lists, job, f"{job}/transactions", f"{job}/messages", "/", "/metrics"]
        self.api.request("GET", self.rng.choice(paths))


def job_and_kind_of(sms: AcceptedSms) -> tuple[int, str]:
    """Return the job that an SMS is about, and its kind."""
    match = re.search(r"repair job (\d+)", sms.text)
    assert match, sms.text
    return int(match[1]), "courtesy" if "has been received" in sms.text else "feedback"
