import type { ConversationBody, RealtimeError } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { SearchX } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import { useWords } from "../words";
import { ListFailed, Skeletons } from "./ListStates";
import { Row } from "./Row";

const PAUSE_MS = 200;

interface Found {
  text: string;
  rows: readonly ConversationBody[];
  error?: RealtimeError;
}

export function SearchResults(props: {
  text: string;
  openId: string | undefined;
  onOpen: (id: string) => void;
}) {
  const words = useWords();
  const { text } = props;
  const [found, search] = useSearch(text);
  if (!found || (found.text !== text && found.rows.length === 0)) return <Skeletons />;
  if (found.error) return <ListFailed error={found.error} onRetry={search} />;
  return (
    <>
      <p className="list-count" role="status">
        {words.results(found.rows.length)}
      </p>
      {found.rows.length === 0 ? (
        <div className="empty">
          <SearchX size={28} aria-hidden />
          <h2>{words.noResults}</h2>
          <p>{words.noResultsHint(text)}</p>
        </div>
      ) : (
        <ul className="rows">
          {found.rows.map((row) => (
            <Row
              key={row.id}
              row={row}
              isOpen={row.id === props.openId}
              onOpen={props.onOpen}
              searched={text}
            />
          ))}
        </ul>
      )}
    </>
  );
}

function useSearch(text: string): [Found | undefined, () => void] {
  const { inbox } = useClient();
  const [found, setFound] = useState<Found>();
  const search = useCallback(() => {
    const [, label] = /^#(.+)$/.exec(text) ?? [];
    inbox
      .search(label ? { label } : { q: text })
      .then((page) => setFound({ text, rows: page.items }))
      .catch((error: RealtimeError) => setFound({ text, rows: [], error }));
  }, [inbox, text]);
  useEffect(() => {
    const timer = setTimeout(search, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [search]);
  return [found, search];
}
