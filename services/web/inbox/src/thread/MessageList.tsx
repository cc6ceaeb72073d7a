import type { OpenConversation } from "@pytake/realtime/react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useSpeech } from "../words";
import { dayName } from "../words/times";
import { MessageRow } from "./MessageRow";
import { NoteRow } from "./NoteRow";
import { OutgoingRow } from "./OutgoingRow";
import { type TimelineItem, timelineOf } from "./timeline";
import { useHeight } from "./use-height";
import { useReading } from "./use-reading";

const NEAR_END = 80;
const NEAR_START = 600;

export function MessageList({ open, searched }: { open: OpenConversation; searched: string }) {
  const { words } = useSpeech();
  const scroller = useRef<HTMLDivElement>(null);
  const items = useMemo(
    () => timelineOf(open.messages, open.outgoing, open.hasOlder, open.notes),
    [open.messages, open.outgoing, open.hasOlder, open.notes],
  );
  // Another function would have every key read anew at each frame of a scroll.
  const getItemKey = useCallback((index: number) => items[index]?.key ?? index, [items]);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => estimateOf(items[index]),
    getItemKey,
    overscan: 12,
    anchorTo: "end",
    followOnAppend: true,
    scrollEndThreshold: NEAR_END,
    paddingStart: 16,
    paddingEnd: 8,
  });
  const height = useHeight(scroller);
  const { isAtEnd, unseen, day, onScroll, toEnd } = useEnd(open, items, virtual, height);
  useReading(open, isAtEnd);

  // A short conversation stands above the composer, where the next message will be. It is moved
  // by its transform: that is no layout, so nothing around it shifts.
  const total = virtual.getTotalSize();
  const lift = Math.max(0, height - total);
  useStartAtEnd(open.phase === "ready", items.length, virtual);
  return (
    <section className="thread-scroll-frame" aria-label={words.history}>
      {day && <DayLine day={day} isFloating />}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the history scrolls by keyboard */}
      <div className="thread-scroll" ref={scroller} onScroll={onScroll} tabIndex={0} data-history>
        {open.phase === "loading" && <ThreadSkeleton />}
        <ol className="thread-items" style={{ height: total + lift }}>
          {virtual.getVirtualItems().map(({ index, key, start }) => (
            <li
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              className="thread-item"
              style={{ transform: `translateY(${start + lift}px)` }}
            >
              <Item item={items[index]} open={open} searched={searched} />
            </li>
          ))}
        </ol>
      </div>
      {!isAtEnd && (
        <button type="button" className="to-end" onClick={toEnd} aria-label={words.toTheEnd}>
          {unseen > 0 && <span>{words.newBelow(unseen)}</span>}
          <ArrowDown size={16} aria-hidden />
        </button>
      )}
    </section>
  );
}

type Virtual = ReturnType<typeof useVirtualizer<HTMLDivElement, Element>>;

function useStartAtEnd(isReady: boolean, count: number, virtual: Virtual) {
  const hasStarted = useRef(false);
  useEffect(() => {
    if (hasStarted.current || !isReady || count === 0) return;
    hasStarted.current = true;
    virtual.scrollToEnd();
  }, [isReady, count, virtual]);
}

/** Whether the end is on the screen, what came below it, and the day at the top. */
function useEnd(
  open: OpenConversation,
  items: readonly TimelineItem[],
  virtual: Virtual,
  height: number,
) {
  const [isAtEnd, setAtEnd] = useState(true);
  const [day, setDay] = useState<string>();
  const [seenSeq, setSeenSeq] = useState(0);
  const { loadOlder, lastSeq } = open;
  const onScroll = useCallback(() => {
    const scroller = virtual.scrollElement;
    if (!scroller) return;
    const { scrollTop, scrollHeight, clientHeight } = scroller;
    setAtEnd(scrollHeight - scrollTop - clientHeight < NEAR_END);
    if (scrollTop < NEAR_START) loadOlder();
    const first = virtual.getVirtualItemForOffset(scrollTop + 24);
    const top = first ? items[first.index] : undefined;
    setDay(scrollTop > 24 && top?.kind !== "day" ? top?.day : undefined);
  }, [virtual, items, loadOlder]);
  useEffect(() => {
    if (isAtEnd) setSeenSeq(lastSeq);
  }, [isAtEnd, lastSeq]);
  useOlder(open, items.length, virtual);
  // Who is at the end stays there when the composer grows.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a change of the height counts
  useLayoutEffect(() => {
    const scroller = virtual.scrollElement;
    if (scroller && isAtEnd) scroller.scrollTop = scroller.scrollHeight;
  }, [height]);
  const unseen = isAtEnd
    ? 0
    : open.messages.filter((m) => m.seq > seenSeq && m.direction === "inbound").length;
  const toEnd = useCallback(() => virtual.scrollToEnd(), [virtual]);
  return { isAtEnd, unseen, day, onScroll, toEnd };
}

/** Who stands at the very top after a page came makes no scroll event: the next page follows. */
function useOlder(open: OpenConversation, count: number, virtual: Virtual) {
  const { phase, hasOlder, isLoadingOlder, loadOlder } = open;
  const mayAsk = phase === "ready" && hasOlder && !isLoadingOlder && count > 0;
  useEffect(() => {
    if (!mayAsk) return;
    // Two frames: a thread that has just been opened is moved to its end in the first.
    let frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(() => {
        if ((virtual.scrollElement?.scrollTop ?? NEAR_START) < NEAR_START) loadOlder();
      });
    });
    return () => cancelAnimationFrame(frame);
  }, [mayAsk, loadOlder, virtual]);
}

function Item(props: { item: TimelineItem | undefined; open: OpenConversation; searched: string }) {
  const { words } = useSpeech();
  const { item, open, searched } = props;
  if (!item) return null;
  if (item.kind === "beginning") return <p className="thread-beginning">{words.beginning}</p>;
  if (item.kind === "day") return <DayLine day={item.day} />;
  if (item.kind === "note") return <NoteRow note={item.note} open={open} />;
  if (item.kind === "outgoing") return <OutgoingRow item={item.item} isFirst={item.isFirst} />;
  const { message, isFirst, isLast, reactions, wasRetried } = item;
  return (
    <MessageRow
      message={message}
      isFirst={isFirst}
      isLast={isLast}
      reactions={reactions}
      wasRetried={wasRetried}
      open={open}
      searched={searched}
    />
  );
}

function DayLine({ day, isFloating = false }: { day: string; isFloating?: boolean }) {
  const { words, locale } = useSpeech();
  const text = dayName(day, Date.now(), locale, words);
  return (
    <div className={`day-line ${isFloating ? "is-floating" : ""}`} aria-hidden={isFloating}>
      <span>{text}</span>
    </div>
  );
}

function estimateOf(item: TimelineItem | undefined): number {
  if (item?.kind === "note") return 60 + Math.ceil(item.note.text.length / 80) * 20;
  if (item?.kind !== "message") return 44;
  const text = String(item.message.content.text ?? item.message.content.caption ?? "");
  const lines = Math.ceil(text.length / 60) || 1;
  const isTall = item.message.message_type === "image" || item.message.message_type === "video";
  return 24 + lines * 20 + (item.isFirst ? 14 : 0) + (isTall ? 240 : 0);
}

function ThreadSkeleton() {
  return (
    <div className="thread-skeleton" aria-hidden>
      <span className="skeleton own" />
      <span className="skeleton customer" />
      <span className="skeleton customer" />
      <span className="skeleton own" />
    </div>
  );
}
