import { useMemo, useState } from "react";
import { prefer, usePreferences } from "../preferences";
import { useMedia } from "../use-media";

const WIDE = "(min-width: 1100px)";

export interface DetailsSwitch {
  isOpen: boolean;
  toggle: () => void;
}

/**
 * Whether the details are shown. Beside the thread that is a lasting choice; where they would
 * cover it, they open when asked for and no sooner.
 */
export function useDetails(): DetailsSwitch {
  const isWide = useMedia(WIDE);
  const { showDetails } = usePreferences();
  const [isAsked, setAsked] = useState(false);
  return useMemo(
    () => ({
      isOpen: isWide ? showDetails : isAsked,
      toggle: () => (isWide ? prefer({ showDetails: !showDetails }) : setAsked(!isAsked)),
    }),
    [isWide, showDetails, isAsked],
  );
}
