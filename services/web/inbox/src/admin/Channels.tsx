import { PhoneOff, Smartphone } from "lucide-react";
import { type Speech, useSpeech } from "../words";
import { failureWords } from "../words/failures";
import { AdminForm } from "./AdminForm";
import { AdminPage } from "./AdminPage";
import { AdminTable } from "./AdminTable";
import { type Channel, ChannelActions } from "./ChannelActions";
import { ChannelNews } from "./ChannelNews";
import { useItems } from "./use-page";

/** What there is to know of a number in one line: how it is called, and what WhatsApp thinks of it. */
export function channelNote(channel: Channel, { words }: Speech): string {
  const { display_phone_number, phone_number_id, quality_rating, messaging_limit } = channel;
  const quality = quality_rating ? words.quality[quality_rating.toUpperCase()] : undefined;
  return [
    display_phone_number ?? phone_number_id,
    quality,
    messaging_limit && words.messagingLimit(messaging_limit),
  ]
    .filter(Boolean)
    .join(" · ");
}

/** The WhatsApp numbers, whether they work, and what keeps them from it. */
export default function Channels() {
  const speech = useSpeech();
  const { words } = speech;
  const [loaded, reload] = useItems<Channel>("/channels");
  return (
    <AdminPage title={words.channels}>
      <AdminTable
        loaded={loaded}
        onRetry={reload}
        empty={{ icon: PhoneOff, title: words.noChannels, hint: words.noChannelsHint }}
        row={(channel) => ({
          icon: <Smartphone size={24} aria-hidden />,
          title: channel.verified_name ?? channel.name,
          note: channelNote(channel, speech),
          state: {
            isGood: channel.active,
            text: channel.active ? words.active : words.inactive,
          },
          more: (
            <>
              {channel.stopped_because && (
                <p className="refusal" role="alert">
                  {failureWords(speech, channel.stopped_because.split(":")[0]).join(" ")}
                </p>
              )}
              <ChannelActions channel={channel} onChanged={reload} />
            </>
          ),
        })}
      />
      <AdminForm path="/channels" title={words.addChannel} icon={Smartphone} onAdded={reload}>
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
          <input
            className="input"
            name="access_token"
            type="password"
            autoComplete="off"
            required
          />
        </label>
      </AdminForm>
      <ChannelNews />
    </AdminPage>
  );
}
