import type { MessageStatus } from "@pytake/realtime";
import { Check, CheckCheck, CircleAlert, Clock3 } from "lucide-react";
import { useWords } from "../words";
import type { Words } from "../words/pt";

/** "waiting": still on this device. */
export type Hop = MessageStatus | "waiting";

export function hopName(hop: Hop, words: Words): string {
  const names: Readonly<Record<Hop, string>> = {
    waiting: words.tickWaiting,
    pending: words.tickAccepted,
    sent: words.tickSent,
    delivered: words.tickDelivered,
    read: words.tickRead,
    failed: words.tickFailed,
  };
  return names[hop];
}

/** How far a message has come. Shape and colour both tell; the name is for screen readers. */
export function Ticks({ hop }: { hop: Hop }) {
  const name = hopName(hop, useWords());
  return (
    <span className={`ticks ${hop}`} role="img" aria-label={name} title={name} data-hop={hop}>
      <TickIcon hop={hop} />
    </span>
  );
}

function TickIcon({ hop }: { hop: Hop }) {
  const size = 15;
  if (hop === "waiting") return <Clock3 size={size - 2} aria-hidden />;
  if (hop === "failed") return <CircleAlert size={size - 1} aria-hidden />;
  if (hop === "pending" || hop === "sent") return <Check size={size} aria-hidden />;
  return <CheckCheck size={size} aria-hidden />;
}
