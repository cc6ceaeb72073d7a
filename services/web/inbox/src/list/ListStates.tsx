import type { InboxView, RealtimeError } from "@pytake/realtime";
import { Archive, CircleAlert, Coffee, Inbox, MessageSquarePlus } from "lucide-react";
import { refusalOf, useWords } from "../words";

export function Skeletons() {
  const words = useWords();
  return (
    <ul className="rows" aria-busy="true" aria-label={words.loading}>
      {["60%", "45%", "70%", "50%", "65%", "40%"].map((width) => (
        <li key={width} className="row row-skeleton">
          <span className="skeleton skeleton-avatar" />
          <span className="skeleton-lines">
            <span className="skeleton" style={{ width }} />
            <span className="skeleton" style={{ width: "85%" }} />
          </span>
        </li>
      ))}
    </ul>
  );
}

export function ListFailed(props: { error: RealtimeError | undefined; onRetry: () => void }) {
  const words = useWords();
  const [what] = refusalOf(words, props.error?.code ?? "internal");
  return (
    <div className="empty" role="alert">
      <CircleAlert size={28} aria-hidden />
      <h2>{words.listFailed}</h2>
      <p>{what}</p>
      <button type="button" className="button" onClick={props.onRetry}>
        {words.retry}
      </button>
      {props.error?.traceId && <p className="note-line">{words.traceId(props.error.traceId)}</p>}
    </div>
  );
}

export function EmptyList(props: { view: InboxView; onView: (view: InboxView) => void }) {
  const words = useWords();
  const texts = {
    mine: [words.emptyMine, words.emptyMineHint],
    unassigned: [words.emptyUnassigned, words.emptyUnassignedHint],
    all: [words.emptyAll, words.emptyAllHint],
    closed: [words.emptyClosed, words.emptyClosedHint],
  } as const;
  const icons = { mine: Inbox, unassigned: Coffee, all: MessageSquarePlus, closed: Archive };
  const Icon = icons[props.view];
  const [title, hint] = texts[props.view];
  return (
    <div className="empty">
      <Icon size={28} aria-hidden />
      <h2>{title}</h2>
      <p>{hint}</p>
      {props.view === "mine" && (
        <button type="button" className="button" onClick={() => props.onView("unassigned")}>
          {words.seeUnassigned}
        </button>
      )}
    </div>
  );
}
