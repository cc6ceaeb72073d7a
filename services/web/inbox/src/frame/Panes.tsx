import type { InboxView } from "@pytake/realtime";
import { type CSSProperties, useCallback, useState } from "react";
import { useLocation } from "wouter";
import { Details } from "../details/Details";
import { ErrorBoundary } from "../ErrorBoundary";
import { ConversationList } from "../list/ConversationList";
import { usePreferences } from "../preferences";
import { useHome, useSession } from "../session/use-session";
import { NothingOpen } from "../thread/NothingOpen";
import { Thread } from "../thread/Thread";
import { useMedia } from "../use-media";
import { useDetails } from "./use-details";
import { useShortcuts } from "./use-shortcuts";

export function Panes({ id, onHelp }: { id: string | undefined; onHelp: () => void }) {
  const home = useHome();
  const { user } = useSession();
  const [, navigate] = useLocation();
  const { listWidth } = usePreferences();
  const details = useDetails();
  const isNarrow = useMedia("(max-width: 699px)");
  const [search, setSearch] = useState("");
  const [view, setView] = useState<InboxView>(user.role === "admin" ? "all" : "mine");
  const open = useCallback(
    (conversationId: string) => navigate(`${home}/conversations/${conversationId}`),
    [home, navigate],
  );
  const show = (wanted: InboxView) => () => {
    setSearch("");
    setView(wanted);
  };
  useShortcuts({
    j: () => moveInList(1),
    k: () => moveInList(-1),
    r: () => focus("[data-composer]"),
    n: () => press("[data-write-note]"),
    e: () => press("[data-close]"),
    a: () => press("[data-assign]"),
    "/": () => focus("[data-search]"),
    "g m": show("mine"),
    "g u": show("unassigned"),
    "g a": show(user.role === "admin" ? "all" : "mine"),
    "?": onHelp,
    Escape: () => id && navigate(`${home}/conversations`),
  });
  const width = { "--list-width": `${listWidth}px` } as CSSProperties;
  return (
    <div
      className={`panes ${id ? "has-thread" : ""} ${id && details.isOpen ? "has-details" : ""}`}
      style={width}
    >
      <ConversationList
        openId={id}
        onOpen={open}
        search={search}
        onSearch={setSearch}
        view={view}
        onView={setView}
        isMain={isNarrow && !id}
      />
      {(id || !isNarrow) && (
        <main className="thread-pane">
          {id ? (
            <ErrorBoundary key={id}>
              <Thread id={id} searched={search} details={details} />
            </ErrorBoundary>
          ) : (
            <NothingOpen />
          )}
        </main>
      )}
      {id && details.isOpen && <Details key={id} id={id} onOpen={open} onClose={details.toggle} />}
    </div>
  );
}

function focus(selector: string): void {
  document.querySelector<HTMLElement>(selector)?.focus();
}

function press(selector: string): void {
  document.querySelector<HTMLElement>(selector)?.click();
}

/** Focus the next or the previous row, beginning at the one that has focus or is open. */
function moveInList(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-conversation]")];
  const focused = rows.indexOf(document.activeElement as HTMLElement);
  const here = focused >= 0 ? focused : rows.findIndex((row) => row.ariaCurrent === "true");
  rows[Math.max(0, Math.min(rows.length - 1, here + step))]?.focus();
}
