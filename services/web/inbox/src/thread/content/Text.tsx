import { Fragment } from "react";
import { Marked } from "../../list/Marked";

const LINK = /(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}])/gi;
const ONLY_EMOJI = /^(?:\p{Extended_Pictographic}|\p{Emoji_Component}|\s){1,12}$/u;
const HAS_PICTURE = /\p{Extended_Pictographic}/u;

/**
 * What somebody wrote, as text and nothing else: addresses of the web become links, and
 * characters that turn the direction of writing around stay inside their message.
 */
export function Text({ text, searched = "" }: { text: string; searched?: string }) {
  const isBig = ONLY_EMOJI.test(text) && HAS_PICTURE.test(text);
  return (
    <p className={`content-text ${isBig ? "is-big" : ""}`} dir="auto">
      {text.split(LINK).map((part, index) =>
        index % 2 === 1 ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text never move
          <a key={index} href={part} target="_blank" rel="noopener noreferrer nofollow">
            {part}
          </a>
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text never move
          <Fragment key={index}>
            <Marked text={part} part={searched} />
          </Fragment>
        ),
      )}
    </p>
  );
}
