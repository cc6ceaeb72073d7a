// The official client, driven over standard input and output: one JSON object a line each way.
//
//   {"id": 1, "op": "connect", "client": "a", "url": "https://…", "options": {…}}
//   {"id": 2, "op": "emit", "client": "a", "event": "ping", "args": [{}], "timeout": 5000}
//   {"id": 3, "op": "state" | "disconnect" | "break", "client": "a"}
//
// Every command is answered by {"id", "ok": true, "value"} or {"id", "ok": false, "error"}. What
// happens by itself is told as {"client", "event", "args"}; the client's own life as the events
// "$open" [transport], "$upgrade" [transport], "$connect" [transport], "$disconnect" [reason],
// "$connect_error" [message, data].
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const sockets = new Map();

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

function connect({ client, url, options }) {
  // One manager for each client: by default two sockets to one address share their connection.
  const socket = io(url, { forceNew: true, withCredentials: true, ...options });
  const tell = (event, ...args) => write({ client, event, args });
  socket.onAny((event, ...args) => tell(event, ...args));
  // The upgrade may be over before Socket.IO is connected: it is listened for from the opening on.
  socket.io.on("open", () => {
    tell("$open", socket.io.engine.transport.name);
    socket.io.engine.once("upgrade", (transport) => tell("$upgrade", transport.name));
  });
  socket.on("connect", () => tell("$connect", socket.io.engine.transport.name));
  socket.on("disconnect", (reason) => tell("$disconnect", reason));
  socket.on("connect_error", (error) => tell("$connect_error", error.message, error.data ?? null));
  sockets.set(client, socket);
}

const operations = {
  connect,
  async emit({ client, event, args, timeout }) {
    const socket = sockets.get(client);
    if (timeout === undefined) return void socket.emit(event, ...args);
    return await socket.timeout(timeout).emitWithAck(event, ...args);
  },
  state({ client }) {
    const { connected, active, id, io: manager } = sockets.get(client);
    return { connected, active, sid: id ?? null, transport: manager.engine?.transport?.name ?? null };
  },
  disconnect({ client }) {
    sockets.get(client).disconnect();
  },
  // The network goes away under the client: no farewell of Socket.IO or Engine.IO is sent.
  break({ client }) {
    sockets.get(client).io.engine.close();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  // Not awaited: an emit that waits for its acknowledgement must not hold up the next command.
  Promise.resolve()
    .then(() => operations[command.op](command))
    .then((value) => write({ id: command.id, ok: true, value: value ?? null }))
    .catch((error) => write({ id: command.id, ok: false, error: String(error.message ?? error) }));
}
process.exit(0);
