import type { ConnectionSnapshot } from "@pytake/realtime";
import { useClient, useConnection } from "@pytake/realtime/react";
import { CloudOff, LoaderCircle, PlugZap, TriangleAlert } from "lucide-react";
import { useWords } from "../words";
import type { Words } from "../words/pt";

const STOPPED: Readonly<Record<string, "stoppedCap" | "stoppedSuperseded" | "stoppedToken">> = {
  connection_cap: "stoppedCap",
  superseded: "stoppedSuperseded",
  token_revoked: "stoppedToken",
  invalid_token: "stoppedToken",
};

/** What there is to say of the connection; nothing when all is well. */
export function connectionText(connection: ConnectionSnapshot, words: Words): string {
  const { state, behind, waiting, isPolling, code } = connection;
  if (state === "catching-up") return words.catchingUp(behind);
  if (state === "connecting") return words.connecting;
  if (state === "stopped") return words[STOPPED[code ?? ""] ?? "stopped"];
  if (state === "offline") {
    if (waiting > 0) return words.offlineWaiting(waiting);
    return isPolling ? words.slowUpdates : words.offline;
  }
  return "";
}

/** One line, always in the same place. */
export function ConnectionLine() {
  const words = useWords();
  const client = useClient();
  const connection = useConnection();
  const text = connectionText(connection, words);
  const isSlow = connection.state === "online" && connection.transport === "polling";
  return (
    <div
      className={`connection-line ${connection.state}`}
      role="status"
      aria-label={words.statusLine}
    >
      {text && (
        <>
          <StateIcon state={connection.state} />
          <span>{text}</span>
        </>
      )}
      {connection.state === "stopped" && connection.code && (
        <button type="button" className="link-button" onClick={() => client.start()}>
          {words.useHere}
        </button>
      )}
      {isSlow && (
        <span className="connection-hint" title={words.onPolling}>
          <TriangleAlert size={14} aria-label={words.onPolling} />
        </span>
      )}
    </div>
  );
}

function StateIcon({ state }: { state: ConnectionSnapshot["state"] }) {
  if (state === "offline") return <CloudOff size={14} aria-hidden />;
  if (state === "stopped") return <PlugZap size={14} aria-hidden />;
  return <LoaderCircle className="spinning" size={14} aria-hidden />;
}
