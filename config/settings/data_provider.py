"""The data provider: its address, ingestion from it, and the simulator."""

from config.settings.environment import PORT, env, seconds, whole_number

DATA_PROVIDER_URL = env.str("DATA_PROVIDER_URL", f"http://127.0.0.1:{PORT}")
DATA_PROVIDER_KEY = env.str("DATA_PROVIDER_KEY", "")
# Maximum seconds to connect, between two parts of a response, and for a whole response.
DATA_PROVIDER_TIMEOUTS = (3.05, 10.0, 25.0)

INGEST_SECONDS = whole_number("INGEST_SECONDS", 5)
INGEST_OVERLAP = seconds("INGEST_OVERLAP_SECONDS", 60)
# Must be longer than the request for one page. If a run outlives its lease, another run repeats
# the work, but no event is counted twice.
INGEST_LEASE = seconds("INGEST_LEASE_SECONDS", 30)

SIMULATE_SECONDS = whole_number("SIMULATE_SECONDS", 5)
