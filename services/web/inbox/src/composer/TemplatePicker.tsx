import type { ConversationBody } from "@pytake/realtime";
import { type OpenConversation, useClient } from "@pytake/realtime/react";
import { Clock3 } from "lucide-react";
import { type FormEvent, useCallback, useEffect, useState } from "react";
import { useWords } from "../words";
import { useDraft } from "./drafts";
import { NoteLink } from "./NoteLink";
import {
  fieldsOf,
  greetingName,
  previewOf,
  type Template,
  templateDraft,
  usable,
} from "./templates";

type Loaded = readonly Template[] | "loading" | "failed";

/** Outside the 24 hours: an approved template, filled in and previewed. */
export function TemplatePicker(props: {
  open: OpenConversation;
  conversation: ConversationBody;
  hasNever: boolean;
  onNote: () => void;
}) {
  const words = useWords();
  const { open, conversation, hasNever } = props;
  const draft = useDraft(open.id);
  const [templates, reload] = useTemplates();
  const [chosen, setChosen] = useState<Template>();
  const choices = Array.isArray(templates) ? usable(templates, conversation.channel_id) : [];
  return (
    <section className="composer template-picker" aria-label={words.chooseTemplate} data-templates>
      <header className="template-head">
        <h2>
          <Clock3 size={16} aria-hidden />
          {hasNever ? words.windowNever : words.windowClosed}
        </h2>
        <NoteLink onNote={props.onNote} />
      </header>
      <p className="note-line">
        {hasNever ? words.windowNeverHint : words.windowClosedHint} {draft && words.keptDraft}
      </p>
      {templates === "loading" && <p className="note-line">{words.loading}</p>}
      {templates === "failed" && (
        <p role="alert">
          {words.templatesFailed}{" "}
          <button type="button" className="link-button" onClick={reload}>
            {words.retry}
          </button>
        </p>
      )}
      {Array.isArray(templates) && choices.length === 0 && <p>{words.noTemplates}</p>}
      {choices.length > 0 && (
        <ul className="template-choices">
          {choices.map((template) => {
            const isChosen = template === chosen;
            return (
              <li key={`${template.name}/${template.language}`}>
                <button
                  type="button"
                  className={`template-choice ${isChosen ? "is-chosen" : ""}`}
                  aria-pressed={isChosen}
                  onClick={() => setChosen(isChosen ? undefined : template)}
                >
                  <strong>{template.name.replaceAll("_", " ")}</strong>
                  <span className="note-line">{template.language}</span>
                </button>
              </li>
            );
          })}
        </ul>
      )}
      {chosen && (
        <Fill
          key={`${chosen.name}/${chosen.language}`}
          template={chosen}
          name={conversation.contact.name}
          onSend={(values) => {
            open.send(templateDraft(chosen, values));
            setChosen(undefined);
          }}
        />
      )}
    </section>
  );
}

function useTemplates(): [Loaded, () => void] {
  const { rest } = useClient();
  const [loaded, setLoaded] = useState<Loaded>("loading");
  const load = useCallback(() => {
    setLoaded("loading");
    rest
      .get<{ items: Template[] }>("/templates")
      .then((page) => setLoaded(page.items))
      .catch(() => setLoaded("failed"));
  }, [rest]);
  useEffect(load, [load]);
  return [loaded, load];
}

function Fill(props: {
  template: Template;
  name: string;
  onSend: (values: Record<string, string>) => void;
}) {
  const words = useWords();
  const { template } = props;
  const fields = fieldsOf(template);
  // The first field of nearly every template is the customer's name.
  const [values, setValues] = useState<Record<string, string>>(() =>
    fields[0] ? { [fields[0]]: greetingName(props.name) } : {},
  );
  const isFilled = fields.every((name) => values[name]?.trim());
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isFilled) props.onSend(values);
  };
  return (
    <form className="template-fill" onSubmit={submit}>
      {fields.map((name) => (
        <label key={name} className="field">
          {words.templateField(name)}
          <input
            className="input"
            value={values[name] ?? ""}
            onChange={(event) => setValues({ ...values, [name]: event.target.value })}
          />
        </label>
      ))}
      <p className="template-preview" dir="auto">
        <span className="visually-hidden">{words.templatePreview}: </span>
        {previewOf(template, values, (name) => `[${words.templateField(name)}]`)}
      </p>
      <button type="submit" className="button primary" disabled={!isFilled}>
        {words.sendTemplate}
      </button>
    </form>
  );
}
