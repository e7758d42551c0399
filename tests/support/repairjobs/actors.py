"""Whoever meets the repair jobs from outside, each a thread: client, payers, Vonage, readers."""

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
from tests.support.repairjobs.fake_vonage import Accepted, FakeVonage, Webhook

PACE = 0.05
BAD_NUMBERS = ["", "none", "12"]
SPELLINGS = {
    "IN PROGRESS": ["IN PROGRESS", "In Progress", " in  progress "],
    "JOB COMPLETED": ["JOB COMPLETED", "Job Completed"],
}
# What the client's table saw, written down by itself.
HISTORY = [
    "CREATE TABLE history (id INT AUTO_INCREMENT PRIMARY KEY, Job_id INT, status VARCHAR(255))",
    "CREATE TRIGGER written AFTER UPDATE ON Jobs FOR EACH ROW"
    " INSERT INTO history (Job_id, status) VALUES (NEW.Job_id, NEW.Job_status)",
]


class Wrong(Exception):
    """What no neighbour of ours should ever see."""


class Neighbour(Thread):
    """Acts again and again until told to end; a database that is away is tried again."""

    def __init__(self) -> None:
        super().__init__()
        self.is_over = Event()
        self.error: Exception | None = None

    def act(self) -> None:
        raise NotImplementedError

    def run(self) -> None:
        while not self.is_over.wait(PACE):
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


class Web:
    """Our HTTP, which may say that a store is away, and nothing worse."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.lock = Lock()
        self.statuses: Counter[int] = Counter()

    def request(self, method: str, path: str, **options: Any) -> requests.Response | None:
        """The answer; None if a store is away and we are to come again."""
        answer = requests.request(method, self.url + path, timeout=60, **options)
        self.see(answer.status_code, f"{method} {path}: {answer.text[:300]}")
        if answer.status_code != 503:
            return answer
        if "Retry-After" not in answer.headers:
            raise Wrong(f"{method} {path}: 503 without Retry-After")
        return None

    def see(self, status: int, what: str) -> None:
        with self.lock:
            self.statuses[status] += 1
        if status not in {200, 201, 404, 503}:
            raise Wrong(f"{status}: {what}")


class Client(Neighbour):
    """Takes in jobs a few at a time, and works on those that are open."""

    def __init__(self, database: MariaDB, *, jobs: int, rng: random.Random) -> None:
        super().__init__()
        self.database = database
        self.rng = rng
        self.todo = list(range(1, jobs + 1))
        rng.shuffle(self.todo)
        self.few = max(jobs // 20, 5)

    def act(self) -> None:
        with closing(self.database.connected("client")) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT Job_id, Job_status FROM Jobs WHERE Job_status <> 'CLOSED'")
            statuses = {job_id: normalize_status(status) for job_id, status in cursor.fetchall()}
            if list(statuses.values()).count("NEW") < self.few:
                self.take_in(cursor)
            for job_id, status in statuses.items():
                if self.rng.random() < 0.5:
                    self.work_on(job_id, status, cursor)

    def take_in(self, cursor: Any) -> None:
        jobs = self.todo[: self.few]
        cursor.executemany(
            "INSERT IGNORE INTO Jobs VALUES"
            " (%s, 'REPAIR', 'NEW', 'Test', 'Customer', 'AB1 2CD', %s, 'KE-1', 'Kettle')",
            [(job_id, self.number(job_id)) for job_id in jobs],
        )
        self.todo = self.todo[self.few :]

    def number(self, job_id: int) -> str:
        bad = random.Random(job_id)
        return bad.choice(BAD_NUMBERS) if bad.random() < 0.02 else f"07700 900{job_id % 1000:03}"

    def work_on(self, job_id: int, status: str, cursor: Any) -> None:
        after = {
            "OPENED": ["IN PROGRESS"] * 9 + ["JOB COMPLETED"],
            "IN PROGRESS": ["JOB COMPLETED"],
        }
        if status in after:
            spelled = self.rng.choice(SPELLINGS[self.rng.choice(after[status])])
            cursor.execute("UPDATE Jobs SET Job_status = %s WHERE Job_id = %s", (spelled, job_id))


class Payers(Neighbour):
    """Pay each job once or twice, some early; some payments are reported twice."""

    def __init__(self, database: MariaDB, web: Web, *, jobs: int, rng: random.Random) -> None:
        super().__init__()
        self.database, self.web = database, web
        self.rng = rng
        ids = range(1, jobs + 1)
        self.early = {job_id for job_id in ids if rng.random() < 0.3}
        self.todo = {job_id: rng.choice([1, 1, 1, 1, 2]) for job_id in ids}
        self.paid: Counter[int] = Counter()

    def act(self) -> None:
        with closing(self.database.connected("client")) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT Job_id, Job_status FROM Jobs WHERE Job_status <> 'CLOSED'")
            statuses = {job_id: normalize_status(status) for job_id, status in cursor.fetchall()}
        for job_id, status in statuses.items():
            is_time = job_id in self.early or status == "JOB COMPLETED"
            while is_time and self.paid[job_id] < self.todo[job_id] and self.pay(job_id):
                self.paid[job_id] += 1

    def pay(self, job_id: int) -> bool:
        """Report a payment, perhaps twice. Return whether it is kept."""
        reference = f"P-{job_id}-{self.paid[job_id]}"
        payment = {"reference": reference, "amount": "9.00", "currency": "GBP"}
        answer = self.web.request("POST", f"/jobs/{job_id}/payments", json=payment)
        if answer is not None and answer.ok and self.rng.random() < 0.2:
            again = self.web.request("POST", f"/jobs/{job_id}/payments", json=payment)
            if again is not None and again.status_code != 200:
                raise Wrong(f"a known payment: {again.status_code}")
        return answer is not None and answer.ok


class Carrier(Neighbour):
    """Vonage's webhooks: late, some twice, in any order, of some SMS never; again after a 503."""

    LATE = 30

    def __init__(self, vonage: FakeVonage, web: Web, *, rng: random.Random) -> None:
        super().__init__()
        self.vonage, self.web = vonage, web
        self.rng = rng
        self.seen = 0
        self.waiting: list[Webhook] = []
        self.undeliverable: set[str] = set()
        self.is_last_call = False

    def act(self) -> None:
        news = self.vonage.accepted[self.seen :]
        self.seen += len(news)
        for sms in news:
            self.waiting += self.reports(sms)
        while len(self.waiting) > (0 if self.is_last_call else self.LATE):
            self.send(self.waiting.pop(self.rng.randrange(len(self.waiting))))

    def reports(self, sms: Accepted) -> list[Webhook]:
        fate = self.rng.random()
        if fate < 0.05:
            return []
        if fate < 0.1:
            self.undeliverable.add(sms.client_ref)
        end = "undeliverable" if fate < 0.1 else "delivered"
        webhooks = [self.vonage.status(sms, "submitted"), self.vonage.status(sms, end)]
        return webhooks + [each for each in webhooks if self.rng.random() < 0.1]

    def send(self, webhook: Webhook) -> None:
        (status,) = webhook.send(f"{self.web.url}/webhooks/vonage/status")
        self.web.see(status, "a webhook")
        if status == 503:
            self.waiting.append(webhook)

    def is_idle(self) -> bool:
        return self.seen == len(self.vonage.accepted) and not self.waiting


class Readers(Neighbour):
    """Look around while everything else happens."""

    def __init__(self, web: Web, *, jobs: int, rng: random.Random) -> None:
        super().__init__()
        self.web, self.jobs, self.rng = web, jobs, rng

    def act(self) -> None:
        job = f"/jobs/{self.rng.randint(1, self.jobs)}"
        lists = ["/jobs?limit=5", "/jobs?attention=true&limit=5", "/transactions?limit=5"]
        places = [*lists, job, f"{job}/transactions", f"{job}/messages", "/", "/metrics"]
        self.web.request("GET", self.rng.choice(places))


def job_of(sms: Accepted) -> tuple[int, str]:
    """The job that an SMS tells its customer of, and what it tells."""
    found = re.search(r"repair job (\d+)", sms.text)
    assert found, sms.text
    return int(found[1]), "courtesy" if "has been received" in sms.text else "feedback"
