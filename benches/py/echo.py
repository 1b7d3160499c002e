"""echo.py asyncio|uvloop --port P: the echo protocol of asyncio's documentation. Ended by a signal."""
import asyncio
import sys


class Echo(asyncio.Protocol):
    # Both loops set TCP_NODELAY by themselves.
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def main(port):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


kind, _, port = sys.argv[1:]
if kind == "uvloop":
    import uvloop

    uvloop.run(main(int(port)))
else:
    asyncio.run(main(int(port)))
