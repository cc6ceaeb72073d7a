import * as Ariakit from "@ariakit/react";
import { Smile } from "lucide-react";
import { memo } from "react";
import { useWords } from "../words";

const EMOJI = [
  ..."😀😃😄😁😅😂🙂😉😊😇🥰😍😘😋🤔🤗😐😌😴😎🤩🥳😕😟😢😭😤😡😳😱😬🙄",
  ..."👍👎👌🤝🙏👏🙌💪👋🤞👀💙💚💛🧡❤️💜💔✨🎉🎁🎂🌻🌷☀️⭐🔥💯✅❌⚠️❓",
  ..."📦🚚🏠🛒💳💰🧾📞📱💬📷📎📝📅⏰🔔🔒🔑🛠️🍕☕🍰🚗✈️",
].filter((sign) => sign !== "\ufe0f");

/** Its hundred choices exist only while they are looked at: they would cost each new message 30 ms. */
export const EmojiButton = memo(function EmojiButton(props: { onPick: (emoji: string) => void }) {
  const words = useWords();
  return (
    <Ariakit.PopoverProvider placement="top-end">
      <Ariakit.PopoverDisclosure
        className="icon-button"
        aria-label={words.emoji}
        title={words.emoji}
      >
        <Smile size={18} aria-hidden />
      </Ariakit.PopoverDisclosure>
      <Ariakit.Popover
        className="popover emoji-popover"
        gutter={8}
        portal
        unmountOnHide
        aria-label={words.emoji}
      >
        <Ariakit.CompositeProvider>
          <Ariakit.Composite className="emoji-grid" aria-label={words.emoji} role="listbox">
            {EMOJI.map((emoji) => (
              <Ariakit.CompositeItem
                key={emoji}
                className="emoji"
                role="option"
                onClick={() => props.onPick(emoji)}
              >
                {emoji}
              </Ariakit.CompositeItem>
            ))}
          </Ariakit.Composite>
        </Ariakit.CompositeProvider>
      </Ariakit.Popover>
    </Ariakit.PopoverProvider>
  );
});
