import type { InboxView } from "@pytake/realtime";
import { useInbox, useInboxSnapshot } from "@pytake/realtime/react";
import { Search, X } from "lucide-react";
import { useMemo, useRef } from "react";
import { ListHandle } from "../frame/ListHandle";
import { useSession } from "../session/use-session";
import { useWords } from "../words";
import { EmptyList, ListFailed, Skeletons } from "./ListStates";
import { Row } from "./Row";
import { SearchResults } from "./SearchResults";
import { usePointerOver, useSettledOrder } from "./use-settled-order";
import "./list.css";

interface Props {
  openId: string | undefined;
  onOpen: (id: string) => void;
  search: string;
  onSearch: (text: string) => void;
  view: InboxView;
  onView: (view: InboxView) => void;
  /** The list alone fills a narrow page. */
  isMain: boolean;
}

export function ConversationList(props: Props) {
  const { openId, onOpen, search, onSearch, view, onView } = props;
  const words = useWords();
  const { user } = useSession();
  const views: readonly InboxView[] =
    user.role === "admin"
      ? ["mine", "unassigned", "all", "closed"]
      : ["mine", "unassigned", "closed"];
  return (
    <div className="list-pane" role={props.isMain ? "main" : undefined}>
      <nav className="list-body" aria-label={words.conversations}>
        {!openId && <h1 className="visually-hidden">{words.conversations}</h1>}
        <SearchField value={search} onChange={onSearch} />
        {search.trim() ? (
          <SearchResults text={search.trim()} openId={openId} onOpen={onOpen} />
        ) : (
          <>
            <Tabs views={views} view={view} onView={onView} />
            <Rows view={view} openId={openId} onOpen={onOpen} onView={onView} />
          </>
        )}
        <ListHandle />
      </nav>
    </div>
  );
}

function SearchField(props: { value: string; onChange: (text: string) => void }) {
  const words = useWords();
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className="list-search">
      <Search size={15} aria-hidden />
      <input
        ref={input}
        className="input"
        type="search"
        data-search
        placeholder={words.search}
        aria-label={words.searchHint}
        value={props.value}
        onChange={(event) => props.onChange(event.target.value)}
      />
      {props.value && (
        <button
          type="button"
          className="icon-button"
          aria-label={words.clear}
          onClick={() => {
            props.onChange("");
            input.current?.focus();
          }}
        >
          <X size={14} aria-hidden />
        </button>
      )}
    </div>
  );
}

function Tabs(props: {
  views: readonly InboxView[];
  view: InboxView;
  onView: (view: InboxView) => void;
}) {
  const words = useWords();
  const { lists } = useInboxSnapshot();
  const names: Readonly<Record<InboxView, string>> = {
    mine: words.viewMine,
    unassigned: words.viewUnassigned,
    all: words.viewAll,
    closed: words.viewClosed,
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div className="list-tabs" role="group" aria-label={words.conversations}>
      {props.views.map((view) => {
        const { rows, hasMore, state } = lists[view];
        const isKnown = (state === "ready" || rows.length > 0) && view !== "closed";
        return (
          <button
            key={view}
            type="button"
            data-view={view}
            aria-pressed={view === props.view}
            className="list-tab"
            onClick={() => props.onView(view)}
          >
            {names[view]}
            {isKnown && <span className="count">{hasMore ? `${rows.length}+` : rows.length}</span>}
          </button>
        );
      })}
    </div>
  );
}

function Rows(props: {
  view: InboxView;
  openId: string | undefined;
  onOpen: (id: string) => void;
  onView: (view: InboxView) => void;
}) {
  const list = useInbox(props.view);
  // The other tabs show counts, so their first pages are wanted too.
  useInbox("mine");
  useInbox("unassigned");
  const pointer = usePointerOver();
  const rows = useSettledOrder(list.rows, pointer.isOver);
  const isEmpty = list.rows.length === 0;
  const body = useMemo(
    () =>
      rows.map((row) => (
        <Row key={row.id} row={row} isOpen={row.id === props.openId} onOpen={props.onOpen} />
      )),
    [rows, props.openId, props.onOpen],
  );

  if (isEmpty && list.state === "failed")
    return <ListFailed error={list.error} onRetry={list.retry} />;
  if (isEmpty && list.state !== "ready") return <Skeletons />;
  if (isEmpty) return <EmptyList view={props.view} onView={props.onView} />;
  return (
    <ul
      className="rows"
      {...pointer.handlers}
      onScroll={(event) => {
        const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
        if (list.hasMore && scrollHeight - scrollTop - clientHeight < 400) list.loadMore();
      }}
    >
      {body}
    </ul>
  );
}
