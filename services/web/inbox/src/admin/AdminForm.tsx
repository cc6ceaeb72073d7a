import { RealtimeError } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import type { LucideIcon } from "lucide-react";
import { type FormEvent, type ReactNode, useState } from "react";
import { refusalOf, useWords } from "../words";

/** What is filled in to add one more; a refusal is said beside the button. */
export function AdminForm(props: {
  path: string;
  title: string;
  icon: LucideIcon;
  onAdded: () => void;
  children: ReactNode;
}) {
  const words = useWords();
  const { rest } = useClient();
  const [refusal, setRefusal] = useState("");
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    try {
      await rest.post(props.path, Object.fromEntries(new FormData(form)));
      form.reset();
      setRefusal("");
      props.onAdded();
    } catch (error) {
      setRefusal(refusalOf(words, RealtimeError.of(error).code).join(" "));
    }
  };
  return (
    <form className="admin-form" onSubmit={(event) => void submit(event)}>
      <h2>
        <props.icon size={16} aria-hidden />
        {props.title}
      </h2>
      {props.children}
      <p className="refusal" role="alert">
        {refusal}
      </p>
      <button type="submit" className="button primary">
        {props.title}
      </button>
    </form>
  );
}
