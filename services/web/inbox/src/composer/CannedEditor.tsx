import * as Ariakit from "@ariakit/react";
import type { CannedReplyBody } from "@pytake/realtime";
import { RealtimeError } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { Pencil, Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { refusalOf, useWords } from "../words";
import { useCannedReplies } from "./canned-replies";

/** Where the team writes, changes and removes what it says again and again. */
export function CannedEditor() {
  const words = useWords();
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
        <Editor />
        <p className="note-line">{words.cannedShared}</p>
        <Ariakit.DialogDismiss className="button">{words.close}</Ariakit.DialogDismiss>
      </Ariakit.Dialog>
    </Ariakit.DialogProvider>
  );
}

function Editor() {
  const words = useWords();
  const { rest } = useClient();
  const { replies } = useCannedReplies(true);
  const [edited, setEdited] = useState<CannedReplyBody>();
  const [refusal, setRefusal] = useState("");
  const attempt = (work: Promise<unknown>) =>
    work
      .then(() => {
        setEdited(undefined);
        setRefusal("");
        return true;
      })
      .catch((error) => {
        const { code } = RealtimeError.of(error);
        setRefusal(code === "conflict" ? words.cannedTaken : refusalOf(words, code).join(" "));
        return false;
      });
  const keep = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    // The dialog lies in the composer's form only for React.
    event.stopPropagation();
    const form = event.currentTarget;
    const fields = new FormData(form);
    const shortcut = String(fields.get("shortcut")).replace(/[\s/]/g, "");
    const reply = { shortcut, text: String(fields.get("text")).trim() };
    const isKept = await attempt(
      edited
        ? rest.patch(`/canned-replies/${edited.id}`, reply)
        : rest.post("/canned-replies", reply),
    );
    if (isKept) form.reset();
  };
  return (
    <>
      <ul className="canned-list">
        {replies.map((reply) => (
          <li key={reply.id}>
            <kbd>/{reply.shortcut}</kbd>
            <span dir="auto">{reply.text}</span>
            <button
              type="button"
              className="icon-button"
              aria-label={`${words.edit}: ${reply.shortcut}`}
              onClick={() => setEdited(reply)}
            >
              <Pencil size={16} aria-hidden />
            </button>
            <button
              type="button"
              className="icon-button"
              aria-label={`${words.remove}: ${reply.shortcut}`}
              onClick={() => void attempt(rest.delete(`/canned-replies/${reply.id}`))}
            >
              <Trash2 size={16} aria-hidden />
            </button>
          </li>
        ))}
      </ul>
      <form
        className="canned-form"
        key={edited?.id ?? "new"}
        onSubmit={(event) => void keep(event)}
      >
        <label className="field">
          {words.cannedShortcut}
          <input
            className="input"
            name="shortcut"
            maxLength={32}
            required
            pattern="[^\s\/]+"
            defaultValue={edited?.shortcut}
            autoComplete="off"
          />
        </label>
        <label className="field">
          {words.cannedText}
          <textarea
            className="input"
            name="text"
            rows={3}
            maxLength={4096}
            required
            defaultValue={edited?.text}
          />
        </label>
        <p className="refusal" role="alert">
          {refusal}
        </p>
        <button type="submit" className="button primary">
          {edited ? words.save : words.cannedAdd}
        </button>
      </form>
    </>
  );
}
