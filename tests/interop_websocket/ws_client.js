// ws: all that there is, with compression and without.
const assert = require("node:assert");
const { once } = require("node:events");
const WebSocket = require("ws");

const url = process.argv[2];
const text = "grüße, 世界 🦀";
const large = Buffer.from(Uint8Array.from({ length: 1_048_576 }, (_, n) => (n * 131) % 251));

// The messages and the close are kept until they are asked for, because an event that nobody listens to is lost.
class Client {
  constructor(path, protocols, options) {
    this.socket = new WebSocket(url + path, protocols, options);
    this.messages = [];
    this.socket.on("message", (data, isBinary) => this.messages.push(isBinary ? data : data.toString()));
    this.closed = new Promise((resolve) => this.socket.on("close", (code, reason) => resolve([code, String(reason)])));
  }
  async open() {
    await once(this.socket, "open");
    return this;
  }
  async receive() {
    while (!this.messages.length) {
      const close = await Promise.race([once(this.socket, "message"), this.closed.then(String)]);
      assert.notEqual(typeof close, "string", `closed instead of a message: ${close}`);
    }
    return this.messages.shift();
  }
  async echoes(message) {
    this.socket.send(message);
    assert.deepEqual(await this.receive(), message);
  }
  async close(...reason) {
    this.socket.close(...reason);
    return this.closed;
  }
}

async function check(perMessageDeflate) {
  const connect = (path, protocols = []) => new Client(path, protocols, { perMessageDeflate }).open();

  let client = await connect("/echo");
  await client.echoes(text);
  console.log("text");
  await client.echoes(Buffer.from([...Array(256).keys()]));
  console.log("binary");
  await client.echoes("");
  await client.echoes(Buffer.alloc(0));
  console.log("empty");
  await client.echoes(large);
  await client.echoes("large ".repeat(150_000));
  console.log("large");
  client.socket.send("one ", { fin: false });
  client.socket.ping("between");
  client.socket.send("", { fin: false });
  client.socket.send("two ", { fin: false });
  client.socket.send("three", { fin: true });
  const [payload] = await once(client.socket, "pong");
  assert.equal(String(payload), "between");
  assert.equal(await client.receive(), "one two three");
  assert.deepEqual(await client.close(1000), [1000, ""]);
  client = await connect("/fragments");
  assert.equal(await client.receive(), "one two three");
  assert.deepEqual(await client.receive(), Buffer.alloc(300_000, "x"));
  console.log("fragments");
  client = await connect("/ping");
  assert.equal(await client.receive(), "ponged");
  assert.equal((await client.closed)[0], 1000);
  console.log("pings");
  client = await connect("/echo", ["unknown", "chat"]);
  assert.equal(client.socket.protocol, "chat");
  await client.close();
  console.log("subprotocol");
  client = await connect("/close");
  assert.deepEqual(await client.closed, [4001, "good bye"]);
  console.log("closed by the server");
  client = await connect("/closing");
  assert.deepEqual(await client.close(4002, "see you"), [4002, "see you"]);
  client = await connect("/closed");
  assert.equal(await client.receive(), "4002 see you");
  console.log("closed by the client");
  client = await connect("/echo");
  assert.equal(client.socket.extensions, perMessageDeflate ? "permessage-deflate" : "");
  // Each message after the first is a reference to it.
  for (let n = 0; n < 20; n++) await client.echoes("again and again".repeat(100));
  await client.close();
  console.log(perMessageDeflate ? "compression" : "no compression");
}

// What waits for ever is no success.
process.exitCode = 1;
setTimeout(() => process.exit(), 40_000).unref();
check({ threshold: 0 })
  .then(() => check(false))
  .then(() => (process.exitCode = 0));
