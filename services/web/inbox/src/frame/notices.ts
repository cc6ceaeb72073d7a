import type { ConversationBody } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { type RefObject, useEffect, useRef } from "react";
import { useLocation } from "wouter";
import { summaryOf } from "../list/summary";
import { type Preferences, preferences } from "../preferences";
import { useHome, useSession } from "../session/use-session";
import { useWords } from "../words";
import { Bell } from "./bell";

/** Whether the time of day (HH:MM) lies in the quiet hours; they may go over midnight. */
export function isQuiet({ quiet, quietFrom, quietTo }: Preferences, time: string): boolean {
  if (!quiet || quietFrom === quietTo) return false;
  return quietFrom < quietTo
    ? time >= quietFrom && time < quietTo
    : time >= quietFrom || time < quietTo;
}

/** What a changed row is worth telling: the customer wrote, or it became ours. */
export function newsOf(
  row: ConversationBody,
  before: ConversationBody | undefined,
  userId: string,
): "message" | "assigned" | undefined {
  const concerns = row.assigned_to === userId || row.assigned_to === null;
  if (row.assigned_to === userId && before && before.assigned_to !== userId) return "assigned";
  // Of a row that was not known, the newest event tells whether it is news of the customer;
  // old messages of the phone app count for nothing.
  const wrote = before
    ? row.inbound_count > before.inbound_count
    : row.inbound_count > 0 && row.last_message?.seq === row.last_seq;
  return concerns && wrote && row.last_message?.direction === "inbound" ? "message" : undefined;
}

let tone: AudioContext | undefined;

/** Two soft notes, made here: nothing to download. */
function ring(): void {
  tone ??= new AudioContext();
  [0, 0.14].forEach((after, index) => {
    if (!tone) return;
    const start = tone.currentTime + after;
    const note = tone.createOscillator();
    const volume = tone.createGain();
    note.frequency.value = index === 0 ? 660 : 880;
    volume.gain.setValueAtTime(0.06, start);
    volume.gain.exponentialRampToValueAtTime(0.0005, start + 0.25);
    note.connect(volume).connect(tone.destination);
    note.start(start);
    note.stop(start + 0.26);
  });
}

/** Browser notification and sound for what happens while the page is not looked at. */
export function useNotices(): void {
  const client = useClient();
  const words = useWords();
  const home = useHome();
  const { user } = useSession();
  const [, navigate] = useLocation();
  const bell = useBell();
  useEffect(
    () =>
      client.onRow((row, before) => {
        const news = newsOf(row, before, user.id);
        const time = new Date().toTimeString().slice(0, 5);
        if (!news || !bell.current?.mayRing || isQuiet(preferences(), time)) return;
        if (preferences().sound) ring();
        if (!preferences().notifications || Notification.permission !== "granted") return;
        const name = row.contact.name || row.contact.phone || words.noName;
        const isMessage = news === "message";
        const title = isMessage ? words.newMessageTitle(name) : words.newlyAssigned(name);
        const body = isMessage && row.last_message ? summaryOf(row.last_message, words) : "";
        // One notification a conversation: the newest replaces the others.
        const notice = new Notification(title, { body, tag: row.id });
        notice.onclick = () => {
          window.focus();
          navigate(`${home}/conversations/${row.id}`);
          notice.close();
        };
      }),
    [client, words, home, user.id, navigate, bell],
  );
}

function useBell(): RefObject<Bell | undefined> {
  const bell = useRef<Bell>(undefined);
  useEffect(() => {
    const held = new Bell();
    bell.current = held;
    return () => held.close();
  }, []);
  return bell;
}
