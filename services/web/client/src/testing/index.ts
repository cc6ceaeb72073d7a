/** A server in memory and a clock in the hand, for tests of pages that use the client. */
export { FakeClock, settle } from "./fake-clock.js";
export { type FakeAnswer, refuse } from "./fake-rest.js";
export { FakeConnection, FakeServer } from "./fake-server.js";
export { type FakeConversation, FakeWorld } from "./fake-world.js";
