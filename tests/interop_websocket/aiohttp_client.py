# aiohttp: it answers pings of its own accord unless it is told not to.
import asyncio
import sys

import aiohttp
from aiohttp import WSMsgType

url = sys.argv[1]
TEXT = "grüße, 世界 🦀"
LARGE = bytes(n * 131 % 251 for n in range(1_048_576))


async def check(session, compress):
    def connect(path, **options):
        return session.ws_connect(f"{url}{path}", compress=compress, **options)

    async with connect("/echo") as websocket:
        await websocket.send_str(TEXT)
        assert await websocket.receive_str() == TEXT
        print("text")
        await websocket.send_bytes(bytes(range(256)))
        assert await websocket.receive_bytes() == bytes(range(256))
        print("binary")
        await websocket.send_str("")
        assert await websocket.receive_str() == ""
        await websocket.send_bytes(b"")
        assert await websocket.receive_bytes() == b""
        print("empty")
        await websocket.send_bytes(LARGE)
        assert await websocket.receive_bytes() == LARGE
        await websocket.send_json(["large"] * 100_000)
        assert await websocket.receive_json() == ["large"] * 100_000
        print("large")
    async with connect("/fragments") as websocket:
        assert await websocket.receive_str() == "one two three"
        assert await websocket.receive_bytes() == b"x" * 300_000
        assert (await websocket.receive()).type == WSMsgType.CLOSE
    print("fragments")
    async with connect("/ping") as websocket:
        assert await websocket.receive_str() == "ponged"
    async with connect("/echo", autoping=False) as websocket:
        await websocket.ping(b"are you there?")
        message = await websocket.receive()
        assert (message.type, message.data) == (WSMsgType.PONG, b"are you there?")
    print("pings")
    async with connect("/echo", protocols=("unknown", "chat")) as websocket:
        assert websocket.protocol == "chat"
    print("subprotocol")
    async with connect("/close") as websocket:
        message = await websocket.receive()
        assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 4001, "good bye"), message
        assert websocket.close_code == 4001
    print("closed by the server")
    async with connect("/closing") as websocket:
        await websocket.close(code=4002, message=b"see you")
        assert websocket.close_code == 4002
    async with connect("/closed") as websocket:
        assert await websocket.receive_str() == "4002 see you"
    print("closed by the client")
    async with connect("/echo") as websocket:
        # The window bits that were agreed on, 0 without compression.
        assert bool(websocket.compress) == bool(compress)
        for _ in range(20):
            await websocket.send_str("again and again" * 100)
            assert await websocket.receive_str() == "again and again" * 100
    print("compression" if compress else "no compression")


async def main():
    async with asyncio.timeout(40), aiohttp.ClientSession() as session:
        await check(session, 15)
        await check(session, 0)


asyncio.run(main())
