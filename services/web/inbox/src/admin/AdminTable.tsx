import type { RealtimeError } from "@pytake/realtime";
import { CircleAlert, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { refusalOf, useWords } from "../words";
import type { Loaded } from "./use-page";

/** What a row shows, in the same places on every page. */
export interface RowParts {
  icon?: ReactNode;
  title: string;
  note: string;
  /** Whether it works, or who is there: a word and a dot. */
  state?: { isGood: boolean; text: string };
  isOff?: boolean;
  actions?: ReactNode;
  more?: ReactNode;
}

/** A list of an admin page in each of its states: loading, failed, empty, there. */
export function AdminTable<T extends { id: string | number }>(props: {
  loaded: Loaded<T>;
  onRetry: () => void;
  empty: { icon: LucideIcon; title: string; hint: string };
  row: (item: T) => RowParts;
}) {
  const { loaded, empty } = props;
  if (loaded.state === "loading") return <Skeletons />;
  if (loaded.state === "failed") return <Failed error={loaded.error} onRetry={props.onRetry} />;
  if (loaded.items.length === 0) {
    return (
      <div className="empty">
        <empty.icon size={28} aria-hidden />
        <h2>{empty.title}</h2>
        <p>{empty.hint}</p>
      </div>
    );
  }
  return (
    <ul className="admin-list">
      {loaded.items.map((item) => (
        <Row key={item.id} {...props.row(item)} />
      ))}
    </ul>
  );
}

function Row({ icon, title, note, state, isOff, actions, more }: RowParts) {
  return (
    <li className={`admin-row ${isOff ? "is-off" : ""}`}>
      {icon}
      <div className="admin-row-text">
        <strong>{title}</strong>
        <span className="note-line">{note}</span>
        {more}
      </div>
      {state && <span className={`presence ${state.isGood ? "is-online" : ""}`}>{state.text}</span>}
      {actions && <div className="admin-actions">{actions}</div>}
    </li>
  );
}

function Skeletons() {
  return (
    <div className="admin-skeletons" aria-busy="true">
      <span className="skeleton" />
      <span className="skeleton" />
      <span className="skeleton" />
    </div>
  );
}

function Failed(props: { error: RealtimeError; onRetry: () => void }) {
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
