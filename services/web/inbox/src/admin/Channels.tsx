import { PhoneOff, Smartphone } from "lucide-react";
import { useWords } from "../words";
import { AdminForm } from "./AdminForm";
import { AdminPage } from "./AdminPage";
import { AdminTable } from "./AdminTable";
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
      <AdminTable
        loaded={loaded}
        onRetry={reload}
        empty={{ icon: PhoneOff, title: words.noChannels, hint: words.noChannelsHint }}
        row={(channel) => ({
          icon: <Smartphone size={24} aria-hidden />,
          title: channel.name,
          note: channel.phone_number_id,
          state: {
            isGood: channel.active,
            text: channel.active ? words.active : words.inactive,
          },
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
    </AdminPage>
  );
}
