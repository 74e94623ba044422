"""An application in this process that tests give keys, limits and callers."""

import asyncio
import base64
import time
from typing import Any

import httpx

from service import api_keys
from service.app import create_app
from service.settings import Settings
from service.store import api_keys as kept

KEY = "000102030405060708090a0b0c0d0e0f"


class House:
    """An application in this process, its store open, its lifespan running for one story."""

    def __init__(self, pool: Any, picture: bytes, **settings: Any) -> None:
        self.pool, self.picture = pool, picture
        self.settings = Settings(default_model="digits-tiny", max_samples=5000, **settings)
        self.app = create_app(self.settings, pool)

    @property
    def here(self) -> Any:
        return self.app.state.service

    def key(self, name: str, quota: int | None = None) -> dict[str, str]:
        """Headers with a new key of this name."""
        key, entry = api_keys.fresh(name, time.time(), quota)
        self.here.store.start()
        assert self.here.store.now(kept.add, entry)
        return {"authorization": f"Bearer {key}"}

    def tell(self, story: Any) -> Any:
        async def whole() -> Any:
            transport = httpx.ASGITransport(self.app)
            async with (
                self.app.router.lifespan_context(self.app),
                httpx.AsyncClient(transport=transport, base_url="http://test") as http,
            ):
                return await asyncio.wait_for(story(http), 30)

        return asyncio.run(whole())

    def body(self, **fields: Any) -> dict[str, Any]:
        image = base64.b64encode(self.picture).decode()
        return {"samples": 640, "key": KEY, "image": image} | fields


def slug(response: httpx.Response) -> str:
    return str(response.json()["type"]).rsplit(":", 1)[1]
