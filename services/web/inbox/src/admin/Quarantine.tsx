import { ShieldCheck } from "lucide-react";
import { useSpeech } from "../words";
import { fullTime } from "../words/times";
import { AdminPage } from "./AdminPage";
import { AdminTable } from "./AdminTable";
import { useItems } from "./use-page";

interface Quarantined {
  id: string;
  reason: string;
  item: unknown;
  received_at: string;
}

/** Parts of deliveries that could not be worked, as they came. */
export default function Quarantine() {
  const { words, locale } = useSpeech();
  const [loaded, reload] = useItems<Quarantined>("/quarantine");
  return (
    <AdminPage title={words.quarantine}>
      <AdminTable
        loaded={loaded}
        onRetry={reload}
        empty={{
          icon: ShieldCheck,
          title: words.nothingQuarantined,
          hint: words.nothingQuarantinedHint,
        }}
        row={(each) => ({
          title: each.reason,
          note: fullTime(each.received_at, locale),
          more: (
            <details>
              <summary>{words.details}</summary>
              <pre>{JSON.stringify(each.item, null, 2)}</pre>
            </details>
          ),
        })}
      />
    </AdminPage>
  );
}
