import type { ConversationBody } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { Plus, X } from "lucide-react";
import { type FormEvent, useEffect, useState } from "react";
import { useChange } from "../thread/use-change";
import { useWords } from "../words";

/** What the team sorts the conversation by. */
export function Labels({ conversation }: { conversation: ConversationBody }) {
  const words = useWords();
  const { change, refusal } = useChange(conversation.id);
  const { labels } = conversation;
  return (
    <section className="details-section">
      <h3>{words.labels}</h3>
      {labels.length > 0 && (
        <ul className="labels">
          {labels.map((label) => (
            <li key={label} className="label" data-label={label}>
              <bdi>{label}</bdi>
              <button
                type="button"
                aria-label={`${words.remove}: ${label}`}
                onClick={() => void change({ remove_labels: [label] })}
              >
                <X size={12} aria-hidden />
              </button>
            </li>
          ))}
        </ul>
      )}
      <AddLabel present={labels} onAdd={(label) => void change({ add_labels: [label] })} />
      {refusal && (
        <p className="refusal" role="alert">
          {refusal}
        </p>
      )}
    </section>
  );
}

function AddLabel(props: { present: readonly string[]; onAdd: (label: string) => void }) {
  const words = useWords();
  const [known, ask] = useKnownLabels();
  const add = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const label = String(new FormData(form).get("label")).trim();
    if (label) props.onAdd(label);
    form.reset();
  };
  return (
    <form className="label-form" onSubmit={add}>
      <input
        className="input"
        name="label"
        list="known-labels"
        maxLength={40}
        autoComplete="off"
        placeholder={words.addLabel}
        aria-label={words.addLabel}
        data-add-label
        onFocus={ask}
      />
      <datalist id="known-labels">
        {known
          .filter((label) => !props.present.includes(label))
          .map((label) => (
            <option key={label} value={label} />
          ))}
      </datalist>
      <button type="submit" className="icon-button" aria-label={words.addLabel}>
        <Plus size={16} aria-hidden />
      </button>
    </form>
  );
}

/** The labels that the team uses, asked for when somebody is about to write one. */
function useKnownLabels(): [readonly string[], () => void] {
  const { rest } = useClient();
  const [known, setKnown] = useState<readonly string[]>([]);
  const [isWanted, setWanted] = useState(false);
  useEffect(() => {
    if (!isWanted) return;
    rest
      .get<{ items: { name: string }[] }>("/labels")
      .then(({ items }) => setKnown(items.map(({ name }) => name)))
      .catch(() => undefined);
  }, [isWanted, rest]);
  return [known, () => setWanted(true)];
}
