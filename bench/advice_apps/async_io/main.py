"""Waits for a database of 50 ms on the event loop, and then writes its answer: some milliseconds of the processor."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def show_order() -> dict[str, int]:
    await asyncio.sleep(0.05)
    return {"total": sum(number * number % 7 for number in range(30_000))}
