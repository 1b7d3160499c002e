// Chromium without a window, told over DevTools' pipe to open the server's page and to check from there.
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const check = require("./standard.js");

const url = process.argv[2];
const profile = fs.mkdtempSync(path.join(os.tmpdir(), "foster-chromium-"));
const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"];
// The pipe to it is descriptor 3, the one from it 4.
const browser = spawn("chromium", [...flags, `--user-data-dir=${profile}`, "about:blank"], {
  stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
});
let log = "";
browser.stderr.on("data", (data) => (log += data));

const answers = new Map();
const listeners = new Map();
let received = "";
browser.stdio[4].setEncoding("utf8").on("data", (data) => {
  const messages = (received + data).split("\0");
  received = messages.pop();
  for (const { id, method, params, result, error } of messages.map((message) => JSON.parse(message))) {
    if (method) listeners.get(method)?.(params);
    else if (error) answers.get(id).reject(new Error(error.message));
    else answers.get(id).resolve(result);
  }
});
let lastId = 0;
const ask = (method, params, sessionId) =>
  new Promise((resolve, reject) => {
    answers.set(++lastId, { resolve, reject });
    browser.stdio[3].write(JSON.stringify({ id: lastId, method, params, sessionId }) + "\0");
  });

async function main() {
  const { targetId } = await ask("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await ask("Target.attachToTarget", { targetId, flatten: true });
  await ask("Page.enable", {}, sessionId);
  await ask("Runtime.enable", {}, sessionId);
  const loaded = new Promise((resolve) => listeners.set("Page.loadEventFired", resolve));
  await ask("Page.navigate", { url: url.replace(/^ws/, "http") + "/" }, sessionId);
  await loaded;
  listeners.set("Runtime.consoleAPICalled", ({ args }) => console.log(args[0].value));
  const expression = `(${check})(WebSocket, ${JSON.stringify(url)}, (line) => console.log(line))`;
  const { exceptionDetails } = await ask("Runtime.evaluate", { expression, awaitPromise: true }, sessionId);
  if (exceptionDetails) throw new Error(exceptionDetails.exception.description);
}

const tooLong = setTimeout(() => browser.kill("SIGKILL"), 60_000);
browser.on("exit", () => {
  clearTimeout(tooLong);
  fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
});
process.exitCode = 1;
main()
  .then(() => (process.exitCode = 0))
  .catch((err) => console.error(err, log))
  .then(() => ask("Browser.close"));
