import { CircleAlert } from "lucide-react";
import { Component, type ReactNode } from "react";
import { useWords } from "./words";

/** Says so where a part of the page cannot be shown, instead of leaving it empty. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render(): ReactNode {
    return this.state.hasFailed ? <Broken /> : this.props.children;
  }
}

function Broken() {
  const words = useWords();
  return (
    <div className="empty" role="alert" data-broken>
      <CircleAlert size={28} aria-hidden />
      <h2>{words.broken}</h2>
      <p>{words.brokenHint}</p>
      {/* What failed to load once is not asked for again by the same page. */}
      <button type="button" className="button" onClick={() => location.reload()}>
        {words.retry}
      </button>
    </div>
  );
}
