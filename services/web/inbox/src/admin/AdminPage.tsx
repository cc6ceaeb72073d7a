import type { RealtimeError } from "@pytake/realtime";
import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { refusalOf, useWords } from "../words";
import type { Loaded } from "./use-page";
import "./admin.css";

export function AdminPage(props: { title: string; children: ReactNode }) {
  return (
    <main className="admin-page">
      <div className="admin-column">
        <h1>{props.title}</h1>
        {props.children}
      </div>
    </main>
  );
}

/** A list in each of its states. */
export function Listing<T>(props: {
  loaded: Loaded<T>;
  onRetry: () => void;
  empty: ReactNode;
  children: (items: readonly T[]) => ReactNode;
}) {
  const { loaded } = props;
  if (loaded.state === "loading") {
    return (
      <div className="admin-skeletons" aria-busy="true">
        <span className="skeleton" />
        <span className="skeleton" />
        <span className="skeleton" />
      </div>
    );
  }
  if (loaded.state === "failed") return <PageFailed error={loaded.error} onRetry={props.onRetry} />;
  return loaded.items.length === 0 ? props.empty : props.children(loaded.items);
}

function PageFailed(props: { error: RealtimeError; onRetry: () => void }) {
  const words = useWords();
  return (
    <div className="empty" role="alert">
      <CircleAlert size={28} aria-hidden />
      <h2>{words.pageFailed}</h2>
      <p>{refusalOf(words, props.error.code).join(" ")}</p>
      <button type="button" className="button" onClick={props.onRetry}>
        {words.retry}
      </button>
      {props.error.traceId && <p className="note-line">{words.traceId(props.error.traceId)}</p>}
    </div>
  );
}
