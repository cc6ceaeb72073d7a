/* The TypeScript client of any commit in Node: follows one conversation, and says where it stands for each line of input.

   node sdk.mjs MODULE URL USER TOKEN CONVERSATION */

import { createInterface } from "node:readline";

const [module, url, userId, token, conversationId] = process.argv.slice(2);
const { MemoryOutboxStorage, RealtimeClient } = await import(module);

const client = new RealtimeClient({
  url,
  userId,
  getToken: async () => token,
  shareTabs: false,
  storage: new MemoryOutboxStorage(),
});
const losses = [];
client.subscribe(() => {
  const { state, code } = client.snapshot();
  if (state === "offline" || state === "stopped") losses.push(`${state} ${code ?? ""}`.trim());
});
client.start();
const { conversation } = client.openConversation(conversationId);

for await (const _ of createInterface({ input: process.stdin })) {
  const { messages, lastSeq, hasOlder } = conversation.snapshot();
  if (hasOlder) void conversation.loadOlder();
  const seqs = messages.map((message) => message.seq);
  const state = client.snapshot().state;
  process.stdout.write(`${JSON.stringify({ state, seqs, lastSeq, losses })}\n`);
}
client.stop();
