"""The tables of the repair jobs, ours and the client's."""

from repairjobs.models.client import (
    BATCH_SIZE,
    CLIENT_COLUMNS,
    MAX_JOB_ID,
    MIN_JOB_ID,
    STATUS_RANKS,
    ClientJob,
    JobStatus,
    ScanBatch,
    normalize_status,
)
from repairjobs.models.documents import JobDocument
from repairjobs.models.import_cursor import ImportCursor
from repairjobs.models.jobs import (
    FINISHED,
    UNDER_WAY,
    Acknowledgement,
    Job,
    JobState,
    UnknownJob,
    format_job_id,
    in_order,
)
from repairjobs.models.ledger import JobTransaction
from repairjobs.models.outbox import OutboxKind, OutboxTask, from_now
from repairjobs.models.parts import Part, PartStatus
from repairjobs.models.payments import Payment
from repairjobs.models.sms import (
    UNRESOLVED_STATES,
    DeliveryReceipt,
    DeliveryState,
    OptOut,
    Sms,
    SmsKind,
    SmsSendSlot,
    SmsState,
    automatic_key,
)

__all__ = [
    "BATCH_SIZE",
    "CLIENT_COLUMNS",
    "FINISHED",
    "MAX_JOB_ID",
    "MIN_JOB_ID",
    "STATUS_RANKS",
    "UNDER_WAY",
    "UNRESOLVED_STATES",
    "Acknowledgement",
    "ClientJob",
    "DeliveryReceipt",
    "DeliveryState",
    "ImportCursor",
    "Job",
    "JobDocument",
    "JobState",
    "JobStatus",
    "JobTransaction",
    "OptOut",
    "OutboxKind",
    "OutboxTask",
    "Part",
    "PartStatus",
    "Payment",
    "ScanBatch",
    "Sms",
    "SmsKind",
    "SmsSendSlot",
    "SmsState",
    "UnknownJob",
    "automatic_key",
    "format_job_id",
    "from_now",
    "in_order",
    "normalize_status",
]
