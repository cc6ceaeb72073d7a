import type { Words } from "./pt";

const MINUTE = 60_000;
const DAY = 86_400_000;

function sameDay(a: Date, b: Date): boolean {
  return a.toDateString() === b.toDateString();
}

/** The time of a row: now · 4 min · 14:03 · Tue · 03/11. */
export function rowTime(iso: string, now: number, locale: string, words: Words): string {
  const at = new Date(iso);
  const age = now - at.getTime();
  if (age < MINUTE) return words.now;
  if (age < 60 * MINUTE) return words.minutesAgo(Math.floor(age / MINUTE));
  if (sameDay(at, new Date(now))) return clockTime(iso, locale);
  if (age < 6 * DAY) return at.toLocaleDateString(locale, { weekday: "short" }).replace(".", "");
  return at.toLocaleDateString(locale, { day: "2-digit", month: "2-digit" });
}

export function clockTime(iso: string, locale: string): string {
  return new Date(iso).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
}

export function fullTime(iso: string, locale: string): string {
  return new Date(iso).toLocaleString(locale, { dateStyle: "long", timeStyle: "short" });
}

/** A day line: Today · Yesterday · Tuesday, 3 November. */
export function dayName(iso: string, now: number, locale: string, words: Words): string {
  const at = new Date(iso);
  if (sameDay(at, new Date(now))) return words.today;
  if (sameDay(at, new Date(now - DAY))) return words.yesterday;
  const isThisYear = at.getFullYear() === new Date(now).getFullYear();
  return at.toLocaleDateString(locale, {
    weekday: "long",
    day: "numeric",
    month: "long",
    ...(isThisYear ? {} : { year: "numeric" }),
  });
}

/** What is left: 23 h 10 min · 48 min · 2 min 05 s. */
export function timeLeft(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1_000));
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  if (minutes >= 5) return `${minutes} min`;
  return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
}
