import { ShieldCheck } from "lucide-react";
import { useSpeech } from "../words";
import { fullTime } from "../words/times";
import { AdminPage, Listing } from "./AdminPage";
import { useItems } from "./use-page";

interface Quarantined {
  id: number;
  reason: string;
  item: unknown;
  received_at: string;
}

/** Parts of deliveries that could not be worked, as they came. */
export function Quarantine() {
  const { words, locale } = useSpeech();
  const [loaded, reload] = useItems<Quarantined>("/quarantine");
  return (
    <AdminPage title={words.quarantine}>
      <Listing
        loaded={loaded}
        onRetry={reload}
        empty={
          <div className="empty">
            <ShieldCheck size={28} aria-hidden />
            <h2>{words.nothingQuarantined}</h2>
            <p>{words.nothingQuarantinedHint}</p>
          </div>
        }
      >
        {(items) => (
          <ul className="admin-list">
            {items.map((each) => (
              <li key={each.id} className="admin-row is-tall">
                <div className="admin-row-text">
                  <strong>{each.reason}</strong>
                  <span className="note-line">{fullTime(each.received_at, locale)}</span>
                  <details>
                    <summary>{words.details}</summary>
                    <pre>{JSON.stringify(each.item, null, 2)}</pre>
                  </details>
                </div>
              </li>
            ))}
          </ul>
        )}
      </Listing>
    </AdminPage>
  );
}
