/** Why a change of the conversation was refused, on the screen and said at once. */
export function Refusal({ text }: { text: string | undefined }) {
  if (!text) return null;
  return (
    <span className="head-refusal" role="alert">
      {text}
    </span>
  );
}
