import { Newspaper } from "lucide-react";
import { useSpeech } from "../words";
import { fullTime } from "../words/times";
import { AdminTable } from "./AdminTable";
import { useItems } from "./use-page";

interface News {
  id: string;
  kind: string;
  details: Record<string, unknown>;
  received_at: string;
}

/** What WhatsApp told of numbers, templates and the account, newest first. */
export function ChannelNews() {
  const { words, locale } = useSpeech();
  const [loaded, reload] = useItems<News>("/channels/news");
  return (
    <section aria-label={words.channelNews}>
      <h2>{words.channelNews}</h2>
      <AdminTable
        loaded={loaded}
        onRetry={reload}
        empty={{ icon: Newspaper, title: words.noNews, hint: words.noNewsHint }}
        row={(news) => ({
          title: words.newsKinds[news.kind] ?? news.kind,
          note: fullTime(news.received_at, locale),
          more: (
            <details>
              <summary>{words.details}</summary>
              <pre>{JSON.stringify(news.details, null, 2)}</pre>
            </details>
          ),
        })}
      />
    </section>
  );
}
