import { MessagesSquare } from "lucide-react";
import { useWords } from "../words";

export function NothingOpen() {
  const words = useWords();
  return (
    <div className="empty">
      <MessagesSquare size={32} aria-hidden />
      <h2>{words.nothingOpen}</h2>
      <p>{words.nothingOpenHint}</p>
    </div>
  );
}
