import { useClient } from "@pytake/realtime/react";
import { useEffect } from "react";

/** The count of unread messages in the title of the window. */
export function useTitle(): void {
  const { inbox } = useClient();
  useEffect(() => {
    const show = () => {
      const { unread } = inbox.snapshot();
      document.title = unread > 0 ? `(${unread}) PyTake` : "PyTake";
    };
    show();
    return inbox.subscribe(show);
  }, [inbox]);
}
