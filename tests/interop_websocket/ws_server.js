// ws: a server with the paths that README.md lists.
const http = require("node:http");
const { WebSocketServer } = require("ws");

const closes = [];
const waiting = [];
const isClosed = (close) => (waiting.length ? waiting.shift()(close) : closes.push(close));
const nextClose = () => new Promise((resolve) => (closes.length ? resolve(closes.shift()) : waiting.push(resolve)));

const handlers = {
  "/echo": (socket) => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })),
  "/fragments": (socket) => {
    for (const piece of ["one ", "two ", "three"]) socket.send(piece, { fin: piece === "three" });
    for (let n = 1; n <= 30; n++) socket.send(Buffer.alloc(10_000, "x"), { fin: n === 30 });
    socket.close(1000);
  },
  "/ping": (socket) => {
    socket.on("pong", () => {
      socket.send("ponged");
      socket.close(1000);
    });
    socket.ping("are you there?");
  },
  "/close": (socket) => socket.close(4001, "good bye"),
  "/closing": (socket) => socket.on("close", (code, reason) => isClosed(`${code} ${reason}`.trim())),
  "/closed": async (socket) => {
    socket.send(await nextClose());
    socket.close(1000);
  },
  "/extensions": (socket) => {
    socket.send(socket.extensions);
    socket.close(1000);
  },
};

const server = http.createServer((request, response) => {
  response.writeHead(200, { "Content-Type": "text/html" });
  response.end("<!doctype html><title>A page</title>");
});
const sockets = new WebSocketServer({
  server,
  perMessageDeflate: true,
  handleProtocols: (protocols) => protocols.has("chat") && "chat",
});
sockets.on("connection", (socket, request) => handlers[request.url](socket));
server.listen(0, "127.0.0.1", () => console.log(`serving on 127.0.0.1:${server.address().port}`));
