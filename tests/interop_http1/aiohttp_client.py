# aiohttp: many at once over a few connections, streams both ways, Expect, and an upload that is refused.
import asyncio
import sys

import aiohttp

url = f"http://127.0.0.1:{sys.argv[1]}"


async def main():
    connector = aiohttp.TCPConnector(limit=5)
    timeout = aiohttp.ClientTimeout(total=40)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def ask(n):
            async with session.get(f"{url}/users/{n}") as response:
                assert await response.text() == f"/users/{n}"

        await asyncio.gather(*(ask(n) for n in range(200)))

        async def pieces():
            for n in range(100):
                yield b"%04d" % n * 100
                if n % 10 == 0:
                    await asyncio.sleep(0)

        async with session.post(f"{url}/echo", data=pieces()) as response:
            assert response.headers["Transfer-Encoding"] == "chunked"
            assert await response.read() == b"".join(b"%04d" % n * 100 for n in range(100))
        async with session.post(f"{url}/echo", data=b"expected", expect100=True) as response:
            assert await response.read() == b"expected"
        async with session.post(f"{url}/refuse", data=b"refused", expect100=True) as response:
            assert response.status == 403
        async with session.head(f"{url}/hello") as response:
            assert response.headers["Content-Length"] == "6" and await response.read() == b""
        async with session.get(f"{url}/stream") as response:
            n = 0
            async for chunk, _ in response.content.iter_chunks():
                n += len(chunk)
            assert n == 100_000
        async with session.post(f"{url}/ignore", data=b"x" * 2_000_000) as response:
            assert await response.text() == "/ignore"
        async with session.post(f"{url}/echo", data=aiohttp.FormData({"a": "1", "b": "2"})) as response:
            assert await response.text() == "a=1&b=2"


asyncio.run(main())
print("all is well")
