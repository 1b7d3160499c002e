# websockets, asyncio: all that there is, with compression and without.
import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError
from websockets.extensions.permessage_deflate import PerMessageDeflate

url = sys.argv[1]
TEXT = "grüße, 世界 🦀"
LARGE = bytes(n * 131 % 251 for n in range(1_048_576))


async def echoes(websocket, message, expected=None):
    await websocket.send(message)
    assert await websocket.recv() == (message if expected is None else expected)


async def check(**options):
    async with connect(f"{url}/echo", **options) as websocket:
        await echoes(websocket, TEXT)
        print("text")
        await echoes(websocket, bytes(range(256)))
        print("binary")
        await echoes(websocket, "")
        await echoes(websocket, b"")
        print("empty")
        await echoes(websocket, LARGE)
        await echoes(websocket, "large " * 150_000)
        print("large")
        await echoes(websocket, ["one ", "", "two ", "three"], "one two three")

        async def pieces():
            for n in range(100):
                yield b"%04d" % n * 100
                if n % 10 == 0:
                    await (await websocket.ping())

        await echoes(websocket, pieces(), b"".join(b"%04d" % n * 100 for n in range(100)))
    async with connect(f"{url}/fragments", **options) as websocket:
        # Some end a message with an empty fragment.
        pieces = [piece async for piece in websocket.recv_streaming() if piece]
        assert pieces == ["one ", "two ", "three"], pieces
        pieces = [piece async for piece in websocket.recv_streaming() if piece]
        assert pieces == [b"x" * 10_000] * 30
    print("fragments")
    async with connect(f"{url}/ping", **options) as websocket:
        assert await websocket.recv() == "ponged"
        await websocket.wait_closed()
        assert (websocket.close_code, websocket.close_reason) == (1000, "")
    print("pings")
    async with connect(f"{url}/echo", subprotocols=["unknown", "chat"], **options) as websocket:
        assert websocket.subprotocol == "chat"
    async with connect(f"{url}/echo", subprotocols=["unknown"], **options) as websocket:
        assert websocket.subprotocol is None
    print("subprotocol")
    async with connect(f"{url}/close", **options) as websocket:
        try:
            await websocket.recv()
            raise SystemExit("a server that closed sent a message")
        except ConnectionClosedError as err:
            assert (err.rcvd.code, err.rcvd.reason, err.rcvd_then_sent) == (4001, "good bye", True), err
    print("closed by the server")
    async with connect(f"{url}/closing", **options) as websocket:
        await websocket.close(4002, "see you")
        assert (websocket.close_code, websocket.close_reason) == (4002, "see you")
    async with connect(f"{url}/closed", **options) as websocket:
        assert await websocket.recv() == "4002 see you"
    print("closed by the client")
    async with connect(f"{url}/echo", **options) as websocket:
        extensions = websocket.protocol.extensions
        if options.get("compression", "deflate") is None:
            assert extensions == []
            print("no compression")
        else:
            assert [type(extension) for extension in extensions] == [PerMessageDeflate], extensions
            # Each message after the first is a reference to it.
            for _ in range(20):
                await echoes(websocket, "again and again" * 100)
            print("compression")


async def main():
    async with asyncio.timeout(40):
        await check()
        await check(compression=None)


asyncio.run(main())
