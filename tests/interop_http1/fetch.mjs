// Node's fetch, which is undici: many at once, streams both ways, HEAD, and a stream that breaks off.
import assert from "node:assert";
import http from "node:http";

const port = Number(process.argv[2]);
const url = `http://127.0.0.1:${port}`;
const text = async (path, init) => (await fetch(url + path, init)).text();

const all = await Promise.all([...Array(200).keys()].map((n) => text(`/users/${n}`)));
all.forEach((body, n) => assert.equal(body, `/users/${n}`));
assert.equal(await text("/echo", { method: "POST", body: "abc".repeat(100000) }), "abc".repeat(100000));
const pieces = new ReadableStream({
  start(controller) {
    for (let n = 0; n < 100; n++) controller.enqueue(new TextEncoder().encode(`${n},`));
    controller.close();
  },
});
const numbers = [...Array(100).keys()].map((n) => `${n},`).join("");
assert.equal(await text("/echo", { method: "POST", body: pieces, duplex: "half" }), numbers);
const head = await fetch(url + "/hello", { method: "HEAD" });
assert.equal(head.headers.get("content-length"), "6");
assert.equal((await fetch(url + "/none")).status, 204);
assert.equal((await text("/stream")).length, 100000);
assert.equal(await text("/ignore", { method: "PUT", body: "z".repeat(100000) }), "/ignore");
assert.equal((await fetch(url + "/fail")).status, 500);
await assert.rejects(text("/broken"));
const left = new AbortController();
const response = await fetch(url + "/stream", { signal: left.signal });
left.abort();
await assert.rejects(response.text());
assert.equal(await text("/hello"), "/hello");

// Its older client, with an agent that keeps connections.
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const ask = (path, options = {}, body) =>
  new Promise((resolve, reject) => {
    const request = http.request({ port, path, agent, ...options }, (response) => {
      let data = "";
      response.on("data", (piece) => (data += piece));
      response.on("end", () => resolve([response, data]));
    });
    request.on("error", reject);
    request.on("continue", () => request.end(body));
    if (!options.headers?.Expect) request.end(body);
    else request.flushHeaders();
  });
const [first] = await ask("/hello");
const [second, data] = await ask("/trailers", { headers: { TE: "trailers" } });
assert.deepEqual([data, second.trailers], ["with trailers", { "x-sum": "13" }]);
const [, echoed] = await ask("/echo", { method: "POST", headers: { Expect: "100-continue", "Content-Length": 4 } }, "body");
assert.equal(echoed, "body");
assert.equal(first.headers.connection, undefined);
agent.destroy();
console.log("all is well");
