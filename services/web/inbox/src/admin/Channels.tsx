import { RealtimeError } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { PhoneOff, Smartphone } from "lucide-react";
import { type FormEvent, useState } from "react";
import { refusalOf, useWords } from "../words";
import { AdminPage, Listing } from "./AdminPage";
import { useItems } from "./use-page";

interface Channel {
  id: string;
  name: string;
  phone_number_id: string;
  active: boolean;
}

/** The WhatsApp numbers, and whether they work. */
export function Channels() {
  const words = useWords();
  const [loaded, reload] = useItems<Channel>("/channels");
  return (
    <AdminPage title={words.channels}>
      <Listing
        loaded={loaded}
        onRetry={reload}
        empty={
          <div className="empty">
            <PhoneOff size={28} aria-hidden />
            <h2>{words.noChannels}</h2>
            <p>{words.noChannelsHint}</p>
          </div>
        }
      >
        {(items) => (
          <ul className="admin-list">
            {items.map((channel) => (
              <li key={channel.id} className="admin-row">
                <Smartphone size={24} aria-hidden />
                <div className="admin-row-text">
                  <strong>{channel.name}</strong>
                  <span className="note-line">{channel.phone_number_id}</span>
                </div>
                <span className={`presence ${channel.active ? "is-online" : ""}`}>
                  {channel.active ? words.active : words.inactive}
                </span>
              </li>
            ))}
          </ul>
        )}
      </Listing>
      <AddChannel onAdded={reload} />
    </AdminPage>
  );
}

function AddChannel({ onAdded }: { onAdded: () => void }) {
  const words = useWords();
  const { rest } = useClient();
  const [refusal, setRefusal] = useState("");
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    try {
      await rest.post("/channels", Object.fromEntries(new FormData(form)));
      form.reset();
      setRefusal("");
      onAdded();
    } catch (error) {
      setRefusal(refusalOf(words, RealtimeError.of(error).code).join(" "));
    }
  };
  return (
    <form className="admin-form" onSubmit={submit}>
      <h2>
        <Smartphone size={16} aria-hidden />
        {words.addChannel}
      </h2>
      <label className="field">
        {words.name}
        <input className="input" name="name" autoComplete="off" required maxLength={200} />
      </label>
      <label className="field">
        {words.phoneNumberId}
        <input
          className="input"
          name="phone_number_id"
          autoComplete="off"
          required
          maxLength={64}
        />
      </label>
      <label className="field">
        {words.accessToken}
        <input className="input" name="access_token" type="password" autoComplete="off" required />
      </label>
      <p className="refusal" role="alert">
        {refusal}
      </p>
      <button type="submit" className="button primary">
        {words.addChannel}
      </button>
    </form>
  );
}
