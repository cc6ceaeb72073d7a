import * as Ariakit from "@ariakit/react";
import { ImageOff, X } from "lucide-react";
import { useEffect, useState } from "react";
import { useWords } from "../../words";
import { Text } from "./Text";

const WIDEST = 320;
const TALLEST = 320;
const FIRST_PAUSE_MS = 1_000;
const MOST_ATTEMPTS = 5;

/** The room that a picture will need, kept before it loads. */
function roomFor(width: unknown, height: unknown): { width: number; height: number } {
  const w = typeof width === "number" && width > 0 ? width : 320;
  const h = typeof height === "number" && height > 0 ? height : 240;
  const scale = Math.min(1, WIDEST / w, TALLEST / h);
  return { width: Math.round(w * scale), height: Math.round(h * scale) };
}

/** A customer's picture is fetched while its message is on the screen already: try a few times. */
function useAttempts() {
  const [attempt, setAttempt] = useState(0);
  const [state, setState] = useState<"shown" | "waiting" | "lost">("shown");
  useEffect(() => {
    if (state !== "waiting") return;
    const again = () => {
      setAttempt((tried) => tried + 1);
      setState("shown");
    };
    const timer = setTimeout(again, FIRST_PAUSE_MS * 2 ** attempt);
    return () => clearTimeout(timer);
  }, [state, attempt]);
  const onError = () => setState(attempt < MOST_ATTEMPTS ? "waiting" : "lost");
  return { attempt, state, onError };
}

export function Picture(props: {
  content: Record<string, unknown>;
  kind: "image" | "sticker";
  url: string | undefined;
}) {
  const words = useWords();
  const { content, kind, url } = props;
  const { attempt, state, onError } = useAttempts();
  const caption = typeof content.caption === "string" ? content.caption : "";
  const room =
    kind === "sticker" ? { width: 128, height: 128 } : roomFor(content.width, content.height);
  const label = caption || words[kind];
  return (
    <>
      {url && state === "shown" ? (
        <Ariakit.DialogProvider>
          <Ariakit.DialogDisclosure
            className="content-picture"
            aria-label={words.openImage}
            style={room}
          >
            <img
              key={attempt}
              src={url}
              alt={label}
              width={room.width}
              height={room.height}
              loading="lazy"
              decoding="async"
              onError={onError}
            />
          </Ariakit.DialogDisclosure>
          <Ariakit.Dialog
            className="picture-dialog"
            aria-label={label}
            backdrop={<div className="dialog-backdrop" />}
            unmountOnHide
          >
            <img src={url} alt={label} />
            <Ariakit.DialogDismiss className="icon-button" aria-label={words.close}>
              <X size={20} aria-hidden />
            </Ariakit.DialogDismiss>
          </Ariakit.Dialog>
        </Ariakit.DialogProvider>
      ) : (
        <span className="content-picture is-missing" style={room}>
          <ImageOff size={24} aria-hidden />
          <span>{state === "lost" ? words.mediaMissing : words.mediaPending}</span>
        </span>
      )}
      {caption && <Text text={caption} />}
    </>
  );
}
