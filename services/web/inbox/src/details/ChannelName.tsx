import { useClient } from "@pytake/realtime/react";
import { useEffect, useState } from "react";
import { useSession } from "../session/use-session";
import { useWords } from "../words";

interface Named {
  id: string;
  name: string;
}

/** By which number the customer writes. Only admins know the numbers by name. */
export function ChannelName({ id }: { id: string | null }) {
  const words = useWords();
  const { rest } = useClient();
  const { user } = useSession();
  const [channels, setChannels] = useState<readonly Named[]>([]);
  const mayAsk = user.role === "admin" && id !== null;
  useEffect(() => {
    if (!mayAsk) return;
    let isHere = true;
    rest
      .get<{ items: Named[] }>("/channels")
      .then(({ items }) => isHere && setChannels(items))
      .catch(() => undefined);
    return () => {
      isHere = false;
    };
  }, [rest, mayAsk]);
  if (id === null) return words.noChannel;
  const name = channels.find((channel) => channel.id === id)?.name;
  return name ? `WhatsApp · ${name}` : "WhatsApp";
}
