import * as Ariakit from "@ariakit/react";
import { Trash2 } from "lucide-react";
import type { FormEvent } from "react";
import { useWords } from "../words";
import { keepCanned, useCannedReplies } from "./canned-store";

export function CannedEditor() {
  const words = useWords();
  const replies = useCannedReplies();
  const add = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    event.stopPropagation();
    const fields = new FormData(event.currentTarget);
    const shortcut = String(fields.get("shortcut")).replace(/[\s/]/g, "");
    const text = String(fields.get("text")).trim();
    if (!shortcut || !text) return;
    const others = replies.filter((reply) => reply.shortcut !== shortcut);
    keepCanned(
      [...others, { shortcut, text }].sort((a, b) => a.shortcut.localeCompare(b.shortcut)),
    );
    event.currentTarget.reset();
  };
  return (
    <Ariakit.DialogProvider>
      <Ariakit.DialogDisclosure className="link-button canned-manage">
        {words.manageCanned}
      </Ariakit.DialogDisclosure>
      <Ariakit.Dialog
        className="dialog"
        backdrop={<div className="dialog-backdrop" />}
        unmountOnHide
        portal
      >
        <Ariakit.DialogHeading>{words.cannedReplies}</Ariakit.DialogHeading>
        <ul className="canned-list">
          {replies.map(({ shortcut, text }) => (
            <li key={shortcut}>
              <kbd>/{shortcut}</kbd>
              <span>{text}</span>
              <button
                type="button"
                className="icon-button"
                aria-label={`${words.remove}: ${shortcut}`}
                onClick={() => keepCanned(replies.filter((reply) => reply.shortcut !== shortcut))}
              >
                <Trash2 size={16} aria-hidden />
              </button>
            </li>
          ))}
        </ul>
        <form className="canned-form" onSubmit={add}>
          <label className="field">
            {words.cannedShortcut}
            <input className="input" name="shortcut" maxLength={32} required />
          </label>
          <label className="field">
            {words.cannedText}
            <textarea className="input" name="text" rows={3} maxLength={4096} required />
          </label>
          <button type="submit" className="button primary">
            {words.cannedAdd}
          </button>
        </form>
        <p className="note-line">{words.cannedHere}</p>
        <Ariakit.DialogDismiss className="button">{words.close}</Ariakit.DialogDismiss>
      </Ariakit.Dialog>
    </Ariakit.DialogProvider>
  );
}
