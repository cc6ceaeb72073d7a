import "./avatar.css";

const HUES = 8;

function hueOf(name: string): number {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973;
  return sum % HUES;
}

/** First letters of the first and the last word; emoji and signs are left out. */
export function initialsOf(name: string): string {
  const words = name.split(/\s+/).filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined];
  const text = letters.map((word) => (word ? [...word][0] : "")).join("");
  return text.toLocaleUpperCase() || "?";
}

export function Avatar(props: { name: string; size?: "small" | "large"; title?: string }) {
  const className = `avatar hue-${hueOf(props.name)} ${props.size ?? ""}`;
  // Initials are a picture, not a text: they come from the style sheet.
  const initials = initialsOf(props.name);
  if (!props.title) return <span className={className} data-initials={initials} aria-hidden />;
  return (
    <span
      className={className}
      data-initials={initials}
      role="img"
      aria-label={props.title}
      title={props.title}
    />
  );
}
