"""Hook events from Python, with nothing but OpenTelemetry's SDK.

pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
"""

import sys
import time
import uuid

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

endpoint = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:4318"
provider = LoggerProvider(Resource.create({"service.name": "python-agent"}))
provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{endpoint}/v1/logs")))
logger = provider.get_logger("python-agent", "1.0.0")

# From Python 3.14 on ids that sort by time, which PostgreSQL stores faster.
new_id = getattr(uuid, "uuid7", uuid.uuid4)


def emit(event_type, session_id, data):
    logger.emit(
        timestamp=time.time_ns(),
        event_name=f"agentic_hooks.{event_type}",
        attributes={
            "log.record.uid": str(new_id()),
            "session.id": session_id,
            "agentic_hooks.data": data,
        },
    )


emit("session_started", "python-1", {})
for index in range(100):
    emit(
        "tool_execution_completed",
        "python-1",
        {"tool_name": "Bash", "index": index, "input": {"command": "ls", "flags": ["-l", "-a"]}, "success": True},
    )
emit("session_completed", "python-1", {"reason": "done"})
provider.shutdown()
