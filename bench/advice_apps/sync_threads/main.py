"""Waits for a database of 200 ms in a thread of the pool, and then writes its answer. THREADS sets the pool's size."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """The pool of this worker, as large as the bench wants it."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = int(os.environ.get("THREADS", "40"))
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
def show_order() -> dict[str, int]:
    time.sleep(0.2)
    return {"total": sum(number * number % 7 for number in range(25_000))}
