"""A FastAPI application that counts visits in a Redis that may go away and come back.

    uvicorn visits:app
"""

import os

import seawall.contrib.fastapi
from fastapi import FastAPI, Request

url = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
app = FastAPI(lifespan=seawall.contrib.fastapi.lifespan(url, decode_responses=True))
seawall.contrib.fastapi.install(app)


@app.post("/visits/{page}")
async def visit(page: str, request: Request):
    """Counts; never twice for one request."""
    return {"visits": await request.state.redis.incr(f"visits:{page}")}


@app.get("/visits/{page}")
async def visits(page: str, request: Request):
    """How many there were."""
    return {"visits": int(await request.state.redis.get(f"visits:{page}") or 0)}
