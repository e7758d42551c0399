"""The embedded databases of running processes."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class EmbeddedDatabases:
    folder: Path

    def ask(self, database: str, query: str, *values: Any) -> list[Any]:
        with sqlite3.connect(self.folder / f"{database}.sqlite3", timeout=20) as connection:
            return connection.execute(query, values).fetchall()

    def add_jobs(self, *job_ids: int, status: str = "NEW") -> None:
        """Add rows to the client's table, each with a number that can be texted."""
        columns = "Job_id, Job_status, Client_mobile, Product_type"
        query = f"INSERT INTO Jobs ({columns}) VALUES (?, ?, ?, 'Kettle')"
        for job_id in job_ids:
            self.ask("client", query, job_id, status, f"07700 900{job_id:03}")
