"""The environment variables by which the launcher tells its workers what they share."""

from __future__ import annotations

# The routes file, and what to log.
CONFIG = "SEMGATE_CONFIG"
LOG_LEVEL = "SEMGATE_LOG_LEVEL"
# The URL of the embedded PostgreSQL: where it is, or will be once it comes up.
EMBEDDED_URL = "SEMGATE_EMBEDDED_URL"
# The folder through which reloads reach all workers (see control).
CONTROL_FOLDER = "SEMGATE_CONTROL"
# Where the last configuration that was served is found (see last_good).
LAST_GOOD = "SEMGATE_LAST_GOOD"
# The folder through which each worker can report the metrics of all: prometheus_client's, which reads the variable once,
# when it is imported. So the launcher sets it before anything imports that.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
