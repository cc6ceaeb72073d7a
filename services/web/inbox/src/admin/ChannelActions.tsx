import { RealtimeError } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { type FormEvent, useState } from "react";
import { refusalOf, useWords } from "../words";

export interface Channel {
  id: string;
  name: string;
  phone_number_id: string;
  active: boolean;
  stopped_because?: string | null;
  display_phone_number?: string | null;
  verified_name?: string | null;
  quality_rating?: string | null;
  messaging_limit?: string | null;
  sends_read_marks?: boolean;
  sends_typing?: boolean;
}

/** What customers are shown of us, and a new token for a number that was stopped. */
export function ChannelActions(props: { channel: Channel; onChanged: () => void }) {
  const words = useWords();
  const { rest } = useClient();
  const { channel, onChanged } = props;
  const [refusal, setRefusal] = useState("");
  const change = (wanted: object) =>
    rest
      .patch(`/channels/${channel.id}`, wanted)
      .then(() => {
        setRefusal("");
        onChanged();
      })
      .catch((error) => setRefusal(refusalOf(words, RealtimeError.of(error).code).join(" ")));
  const renew = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const access_token = String(new FormData(event.currentTarget).get("access_token"));
    void change({ access_token });
  };
  return (
    <div className="channel-actions">
      <label className="toggle">
        <input
          type="checkbox"
          checked={channel.sends_read_marks === true}
          onChange={(event) => void change({ sends_read_marks: event.target.checked })}
        />
        {words.sendsReadMarks}
      </label>
      <label className="toggle">
        <input
          type="checkbox"
          checked={channel.sends_typing === true}
          onChange={(event) => void change({ sends_typing: event.target.checked })}
        />
        {words.sendsTyping}
      </label>
      {!channel.active && (
        <form className="channel-token" onSubmit={renew}>
          <input
            className="input"
            name="access_token"
            type="password"
            autoComplete="off"
            required
            placeholder={words.accessToken}
            aria-label={words.accessToken}
          />
          <button type="submit" className="button">
            {words.startAgain}
          </button>
        </form>
      )}
      {refusal && (
        <p className="refusal" role="alert">
          {refusal}
        </p>
      )}
    </div>
  );
}
