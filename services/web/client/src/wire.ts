import { io } from "socket.io-client";

/** What the server may say in a refused handshake. */
export interface HandshakeRefusal {
  message: string;
  code?: string | undefined;
  retryable?: boolean | undefined;
  retryAfterMs?: number | undefined;
}

/** One Socket.IO connection as this package uses it; it never reconnects by itself. */
export interface WireSocket {
  listen(handlers: WireHandlers): void;
  emit(event: string, payload: unknown, acknowledge: (answer: unknown) => void): void;
  /** "websocket" or "polling", once known. */
  transport(): string | undefined;
  close(): void;
}

export interface WireHandlers {
  onConnect(id: string): void;
  onRefused(refusal: HandshakeRefusal): void;
  /** `byServer`: the server ended the session by a DISCONNECT packet. */
  onDisconnect(reason: string, byServer: boolean): void;
  onEvent(name: string, data: unknown, acknowledge?: (value?: unknown) => void): void;
}

export interface WireOptions {
  url: string;
  path: string;
  auth: Record<string, unknown>;
  transports: ("websocket" | "polling")[];
  withCredentials: boolean;
  handshakeTimeoutMs: number;
}

export type OpenSocket = (options: WireOptions) => WireSocket;

/** Open a connection with the official client, WebSocket first, then polling. */
export const openSocketIo: OpenSocket = (options) => {
  const socket = io(options.url || undefined, {
    path: options.path,
    auth: options.auth,
    transports: options.transports,
    tryAllTransports: true,
    withCredentials: options.withCredentials,
    timeout: options.handshakeTimeoutMs,
    reconnection: false,
    forceNew: true,
    autoConnect: false,
  });
  return {
    listen(handlers) {
      socket.on("connect", () => handlers.onConnect(socket.id ?? ""));
      socket.on("connect_error", (error) => handlers.onRefused(refusal(error)));
      // A transport that opens and closes before the handshake is told by the manager only.
      socket.io.on("close", (reason) => {
        if (!socket.connected) handlers.onRefused({ message: reason });
      });
      socket.on("disconnect", (reason) =>
        handlers.onDisconnect(reason, reason === "io server disconnect"),
      );
      socket.onAny((name: string, data: unknown, acknowledge: unknown) =>
        handlers.onEvent(
          name,
          data,
          typeof acknowledge === "function" ? (acknowledge as () => void) : undefined,
        ),
      );
      socket.connect();
    },
    emit: (event, payload, acknowledge) => socket.emit(event, payload, acknowledge),
    transport: () => socket.io.engine?.transport?.name,
    close: () => {
      socket.io.off("close");
      socket.off();
      socket.offAny();
      socket.disconnect();
    },
  };
};

function refusal(error: Error & { data?: unknown }): HandshakeRefusal {
  const data = (error.data ?? {}) as Record<string, unknown>;
  return {
    message: error.message,
    code: typeof data.code === "string" ? data.code : undefined,
    retryable: typeof data.retryable === "boolean" ? data.retryable : undefined,
    retryAfterMs: typeof data.retry_after_ms === "number" ? data.retry_after_ms : undefined,
  };
}
