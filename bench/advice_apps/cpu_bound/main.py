"""Computes for some tens of milliseconds in Python, and waits for nothing."""

from __future__ import annotations

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def price() -> dict[str, int]:
    return {"price": sum(number * number % 7 for number in range(250_000))}
