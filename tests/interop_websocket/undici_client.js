// undici: the WebSocket that later versions of Node have built in.
const { WebSocket } = require("undici");
const check = require("./standard.js");

// What waits for ever is no success.
process.exitCode = 1;
setTimeout(() => process.exit(), 40_000).unref();
check(WebSocket, process.argv[2], console.log).then(() => (process.exitCode = 0));
