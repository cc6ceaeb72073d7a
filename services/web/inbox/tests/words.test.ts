import { RETRYABLE } from "@pytake/realtime";
import { expect, test } from "vitest";
import { en } from "../src/words/en";
import { failureWords } from "../src/words/failures";
import { FAILURE_ROWS, FAILURES } from "../src/words/failures.gen";
import { phoneText } from "../src/words/phone";
import { pt } from "../src/words/pt";
import { rowTime, timeLeft } from "../src/words/times";

const NOW = new Date(2026, 10, 22, 14, 30).getTime();

test.each([
  [new Date(2026, 10, 22, 14, 29, 40), "agora"],
  [new Date(2026, 10, 22, 14, 26), "4 min"],
  [new Date(2026, 10, 22, 9, 3), "09:03"],
  [new Date(2026, 10, 17, 9, 3), "ter"],
  [new Date(2026, 10, 3, 9, 3), "03/11"],
])("a row of %s says %s", (at, text) => {
  expect(rowTime(at.toISOString(), NOW, "pt-BR", pt)).toBe(text);
});

test.each([
  [83_400_000, "23 h 10 min"],
  [2_880_000, "48 min"],
  [125_000, "2 min 05 s"],
  [-5, "0 min 00 s"],
])("%d ms are left as %s", (left, text) => {
  expect(timeLeft(left)).toBe(text);
});

test.each([
  ["+5531998760003", "+55 31 99876-0003"],
  ["+553133330003", "+55 31 3333-0003"],
  ["+351912345678", "+351912345678"],
  ["hidden", "hidden"],
])("%s is written as %s", (phone, text) => {
  expect(phoneText(phone)).toBe(text);
});

test.each(Object.keys(RETRYABLE))("%s has a sentence and a next step in both languages", (code) => {
  for (const words of [pt, en]) {
    expect(words.codes[code]).toHaveLength(2);
  }
});

test.each([
  ["whatsapp_131047", "Envie um modelo aprovado, ou espere o cliente escrever."],
  ["unconfirmed", "Espere um pouco; se nada vier, pergunte ao cliente antes de enviar de novo."],
  ["unavailable", "Tente em instantes."],
  ["whatsapp_999999", "Tente mais uma vez; se falhar de novo, avise quem administra."],
])("a message that failed with %s says what to do", (code, next) => {
  expect(failureWords({ words: pt, locale: "pt-BR" }, code)[1]).toBe(next);
});

test("every code of WhatsApp's has a row in both languages", () => {
  for (const row of Object.values(FAILURE_ROWS)) {
    expect(FAILURES["pt-BR"][row]).toHaveLength(2);
    expect(FAILURES.en[row]).toHaveLength(2);
  }
});

test("nobody is shouted at", () => {
  for (const words of [pt, en]) {
    const texts = Object.values(words).filter((value) => typeof value === "string");
    expect(texts.filter((text) => text.includes("!"))).toEqual([]);
  }
});
