# websockets, asyncio: a server with the paths that README.md lists.
import asyncio
import http

from websockets.asyncio.server import serve

closes = asyncio.Queue()


async def handle(websocket):
    match websocket.request.path:
        case "/echo":
            async for message in websocket:
                await websocket.send(message)
        case "/fragments":
            await websocket.send(["one ", "two ", "three"])
            await websocket.send([b"x" * 10_000] * 30)
        case "/ping":
            await (await websocket.ping(b"are you there?"))
            await websocket.send("ponged")
        case "/close":
            await websocket.close(4001, "good bye")
        case "/closing":
            await websocket.wait_closed()
            closes.put_nowait(f"{websocket.close_code} {websocket.close_reason}".strip())
        case "/closed":
            await websocket.send(await closes.get())
        case "/extensions":
            await websocket.send(",".join(extension.name for extension in websocket.protocol.extensions))


def page(connection, request):
    if request.path == "/":
        response = connection.respond(http.HTTPStatus.OK, "<!doctype html><title>A page</title>")
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "text/html"
        return response


def choose(connection, subprotocols):
    return "chat" if "chat" in subprotocols else None


async def main():
    async with serve(handle, "127.0.0.1", 0, process_request=page, select_subprotocol=choose) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"serving on 127.0.0.1:{port}", flush=True)
        await server.serve_forever()


asyncio.run(main())
