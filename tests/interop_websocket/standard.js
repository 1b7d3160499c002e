// What can be checked with the standard's WebSocket, in one function without anything around it, for it is also run in
// a page. Neither fragments nor pings can be sent.
module.exports = async function check(WebSocket, url, say) {
  const text = "grüße, 世界 🦀";
  const large = Uint8Array.from({ length: 1_048_576 }, (_, n) => (n * 131) % 251);
  const equal = (found, expected, what) => {
    if (found !== expected) throw new Error(`${what}: ${String(found).slice(0, 100)}, not ${expected}`);
  };

  class Client {
    constructor(path, protocols = []) {
      this.socket = new WebSocket(url + path, protocols);
      this.socket.binaryType = "arraybuffer";
      this.messages = [];
      this.wake = () => {};
      this.socket.onmessage = (event) => {
        this.messages.push(event.data);
        this.wake();
      };
      this.opened = new Promise((resolve, reject) => {
        this.socket.onopen = () => resolve(this);
        this.socket.onerror = () => reject(new Error(`no connection to ${url}${path}`));
      });
      this.closed = new Promise((resolve) => {
        this.socket.onclose = (event) => {
          this.isClosed = true;
          this.wake();
          resolve(event);
        };
      });
    }
    async receive() {
      while (!this.messages.length) {
        if (this.isClosed) throw new Error(`closed instead of a message: ${(await this.closed).code}`);
        await new Promise((resolve) => (this.wake = resolve));
      }
      return this.messages.shift();
    }
    async echoes(message) {
      this.socket.send(message);
      const echo = await this.receive();
      if (typeof message === "string") return equal(echo, message, "the echo");
      const bytes = new Uint8Array(echo);
      equal(bytes.length, message.length, "the length of the echo");
      message.forEach((byte, n) => byte === bytes[n] || equal(bytes[n], byte, `byte ${n} of the echo`));
    }
    async close(...reason) {
      this.socket.close(...reason);
      return this.closed;
    }
  }
  const connect = (...args) => new Client(...args).opened;

  let client = await connect("/echo");
  await client.echoes(text);
  say("text");
  await client.echoes(Uint8Array.from(Array(256).keys()));
  say("binary");
  await client.echoes("");
  await client.echoes(new Uint8Array());
  say("empty");
  await client.echoes(large);
  await client.echoes("large ".repeat(150_000));
  say("large");
  await client.close();
  client = await connect("/fragments");
  equal(await client.receive(), "one two three", "fragments of text");
  equal(new TextDecoder().decode(await client.receive()), "x".repeat(300_000), "fragments of bytes");
  say("fragments");
  client = await connect("/ping");
  equal(await client.receive(), "ponged", "after the ping");
  say("pings");
  client = await connect("/echo", ["unknown", "chat"]);
  equal(client.socket.protocol, "chat", "the subprotocol");
  await client.close();
  say("subprotocol");
  client = await connect("/close");
  let { code, reason, wasClean } = await client.closed;
  equal(`${code} ${reason} ${wasClean}`, "4001 good bye true", "the server's close");
  say("closed by the server");
  client = await connect("/closing");
  ({ code, reason, wasClean } = await client.close(4002, "see you"));
  equal(`${code} ${reason} ${wasClean}`, "4002 see you true", "the close that came back");
  client = await connect("/closed");
  equal(await client.receive(), "4002 see you", "the close that the server saw");
  say("closed by the client");
  client = await connect("/echo");
  equal(client.socket.extensions.split(";")[0], "permessage-deflate", "the extension");
  for (let n = 0; n < 20; n++) await client.echoes("again and again".repeat(100));
  await client.close();
  say("compression");
};
