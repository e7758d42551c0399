"""The embedded stores of processes that run, as others see them."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class EmbeddedDatabases:
    folder: Path

    def ask(self, store: str, query: str, *values: Any) -> list[Any]:
        with sqlite3.connect(self.folder / f"{store}.sqlite3", timeout=20) as connection:
            return connection.execute(query, values).fetchall()

    def add_jobs(self, *job_ids: int, status: str = "NEW") -> None:
        """Rows of the client's, each with a textable number of its own."""
        columns = "Job_id, Job_status, Client_mobile, Product_type"
        query = f"INSERT INTO Jobs ({columns}) VALUES (?, ?, ?, 'Kettle')"
        for job_id in job_ids:
            self.ask("client", query, job_id, status, f"07700 900{job_id:03}")
