// Socket.IO on Node as the peer of the comparison: the same events as ../transport_peer.py.
//
//   PORT, SECRET, ADAPTER=redis|sharded (else in memory), DEFLATE=1, REDIS_URL,
//   ENGINE=uws with UWS_MODULE (else ws)
const crypto = require("node:crypto");
const http = require("node:http");
const jwt = require("jsonwebtoken");
const { Server } = require("socket.io");

const { PORT, SECRET, ADAPTER, DEFLATE, REDIS_URL, ENGINE, UWS_MODULE } = process.env;

async function adapter() {
  const { createClient } = require("redis");
  const { createAdapter, createShardedAdapter } = require("@socket.io/redis-adapter");
  const publisher = createClient({ url: REDIS_URL, RESP: 2 });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  return ADAPTER === "sharded"
    ? createShardedAdapter(publisher, subscriber, { subscriptionMode: "dynamic" })
    : createAdapter(publisher, subscriber);
}

function onConnection(io, socket) {
  socket.emit("connected", { user_id: socket.data.user_id });
  socket.on("join_conversation", (data) => {
    socket.join(`conversation:${data.conversation_id}`);
    socket.emit("joined_conversation", data);
  });
  socket.on("ping", (data, acknowledge) => acknowledge?.({ timestamp: Date.now() / 1000 }));
  socket.on("bench:send", ({ conversation_id, content }) => {
    io.to(`conversation:${conversation_id}`).emit("message:new", {
      id: crypto.randomUUID(),
      conversation_id,
      direction: "inbound",
      type: "text",
      content,
      sender_id: "6ae9ebac-0000-4000-8000-000000000001",
      status: "received",
      created_at: new Date().toISOString(),
    });
  });
}

async function main() {
  const io = new Server({
    cors: { origin: "*" },
    perMessageDeflate: DEFLATE ? { threshold: 0 } : false,
  });
  if (ADAPTER) io.adapter(await adapter());
  io.use((socket, next) => {
    try {
      const claims = jwt.verify(socket.handshake.auth.token, SECRET, { algorithms: ["HS256"] });
      socket.data = { user_id: claims.sub, role: claims.role };
      next();
    } catch {
      next(new Error("unauthorized"));
    }
  });
  io.on("connection", (socket) => onConnection(io, socket));
  if (ENGINE === "uws") {
    const app = require(UWS_MODULE).App();
    io.attachApp(app);
    app.listen("127.0.0.1", Number(PORT), () => {});
    return;
  }
  const server = http.createServer();
  io.attach(server);
  server.listen({ port: Number(PORT), host: "127.0.0.1", backlog: 4096 });
}

main();
