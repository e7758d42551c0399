"""Repair jobs: the client's system, the scheduled jobs, the outbox and the demo."""

from config.settings.databases import CLIENT_IS_EMBEDDED
from config.settings.environment import boolean, env, seconds, whole_number
from config.settings.sms import SMS_BACKEND

# The client's database is on a server, or SMS go to real people. Then the demo is always off.
IS_LIVE = SMS_BACKEND == "vonage" or not CLIENT_IS_EMBEDDED
DEMO = boolean("DEMO") and not IS_LIVE
CLIENT_SANDBOX = boolean("CLIENT_SANDBOX") and not IS_LIVE
# The API key that the simulated repair shop sends to this process.
SANDBOX_KEY = env.str("SANDBOX_KEY", "")

# The client's status for a paid job, if the client has one.
CLIENT_PAID_STATUS = env.str("CLIENT_PAID_STATUS", "")

# Seconds between two runs of each scheduled job.
COLLECT_SECONDS = whole_number("COLLECT_SECONDS", 5)
SWEEP_SECONDS = whole_number("SWEEP_SECONDS", 30)
FOLLOW_SECONDS = whole_number("FOLLOW_SECONDS", 5)
OUTBOX_SECONDS = whole_number("OUTBOX_SECONDS", 2)

# If a worker dies, another worker takes over its task after this time. No task takes longer.
OUTBOX_LEASE = seconds("OUTBOX_LEASE_SECONDS", 60)
# Celery kills a run before another worker may take over its tasks. Celery cannot kill threads. With
# threads, only the timeouts of the outside systems end a task before its lease ends.
OUTBOX_TIME_LIMIT = max(40.0, OUTBOX_LEASE.total_seconds() - 5)
