"""The service that is replaced, in its usual shape: FastAPI, pydantic, asyncpg's executemany."""

import json
import os
import uuid
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Any

import asyncpg
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field

SCHEMA = """
CREATE TABLE IF NOT EXISTS agent_events (
    event_id uuid PRIMARY KEY,
    event_type text NOT NULL,
    session_id text NOT NULL,
    workflow_id text,
    phase_id text,
    milestone_id text,
    data jsonb NOT NULL,
    "timestamp" timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS agent_events_session_id ON agent_events (session_id, "timestamp");
"""

INSERT = """
INSERT INTO agent_events (event_id, event_type, session_id, workflow_id, phase_id, milestone_id, data, "timestamp")
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (event_id) DO NOTHING
"""


class HookEvent(BaseModel):
    event_id: uuid.UUID = Field(default_factory=uuid.uuid4)
    event_type: str
    session_id: str
    workflow_id: str | None = None
    phase_id: str | None = None
    milestone_id: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    timestamp: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))

    def row(self) -> tuple[Any, ...]:
        return (
            self.event_id,
            self.event_type,
            self.session_id,
            self.workflow_id,
            self.phase_id,
            self.milestone_id,
            json.dumps(self.data),
            self.timestamp,
        )


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=5, max_size=10) as pool:
        await pool.execute(SCHEMA)
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/events", status_code=202)
async def post_event(event: HookEvent):
    await app.state.pool.execute(INSERT, *event.row())
    return {"accepted": 1, "message": "Events accepted"}


@app.post("/events/batch", status_code=202)
async def post_batch(events: list[HookEvent]):
    await app.state.pool.executemany(INSERT, [event.row() for event in events])
    return {"accepted": len(events), "message": "Events accepted"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=0, access_log=False)
