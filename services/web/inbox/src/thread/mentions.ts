function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** A note cut at its mentions: every second part is one. Longer names win over shorter ones. */
export function mentionsIn(text: string, names: readonly string[]): string[] {
  const known = [...names].filter(Boolean).sort((a, b) => b.length - a.length);
  if (known.length === 0) return [text];
  return text.split(new RegExp(`(@(?:${known.map(escaped).join("|")}))(?![\\p{L}\\p{N}])`, "u"));
}

/** The name that is being written after the last `@`, and where it begins. */
export function mentionBefore(
  text: string,
  caret: number,
): { asked: string; start: number } | undefined {
  const found = /(?:^|\s)@([\p{L}\p{N} ]{0,40})$/u.exec(text.slice(0, caret));
  if (found?.[1] === undefined) return undefined;
  return { asked: found[1], start: caret - found[1].length - 1 };
}
