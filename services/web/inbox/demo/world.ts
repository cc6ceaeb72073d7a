import type { UserBody } from "@pytake/realtime";
import type { FakeConversation, FakeWorld } from "@pytake/realtime/testing";

const PICTURE = "/demo/picture.svg";

/** A busy morning: every kind of message, every status, windows in every state. */
export function fill(world: FakeWorld): { me: UserBody; conversations: FakeConversation[] } {
  const me = world.addUser("Ana Souza", "admin");
  const bruno = world.addUser("Bruno Lima");
  const minutes = (n: number) => new Date(Date.now() - n * 60_000).toISOString();
  const long = world.addConversation("Carla Menezes", me.id);
  const said = (text: string, at: number) => {
    const message = world.receive(long, text);
    message.created_at = minutes(at);
    return message;
  };
  const wrote = (text: string, at: number, more: object = {}) => {
    const content = { text };
    return world.write(long, {
      content,
      sender_id: me.id,
      created_at: minutes(at),
      status: "read",
      ...more,
    });
  };
  said("Bom dia! Comprei uma cafeteira na semana passada e ela chegou hoje.", 1_600);
  said("Só que veio sem o filtro de papel que estava no anúncio 😕", 1_599);
  wrote("Bom dia, Carla. Sinto muito por isso. Pode me mandar uma foto da caixa?", 1_590);
  const photo = { media_url: PICTURE, width: 800, height: 600, caption: "Veio só isto" };
  said("", 1_580);
  Object.assign(long.messages.at(-1) ?? {}, { message_type: "image", content: photo });
  wrote("Obrigado! Já pedi o filtro ao estoque.", 1_570, { sender_id: bruno.id });
  const file = {
    filename: "Nota fiscal 10482.pdf",
    mime_type: "application/pdf",
    size: 184_320,
    media_url: PICTURE,
  };
  wrote("", 1_560, { message_type: "document", content: file });
  said("", 100);
  Object.assign(long.messages.at(-1) ?? {}, {
    message_type: "audio",
    content: { voice: true, duration: 14, media_url: PICTURE },
  });
  said("", 98);
  Object.assign(long.messages.at(-1) ?? {}, {
    message_type: "location",
    content: {
      name: "Portaria",
      address: "Rua das Flores, 120, São Paulo",
      latitude: -23.55,
      longitude: -46.63,
    },
  });
  said("Pode entregar na portaria", 97);
  wrote("Perfeito. O entregador passa hoje entre 14h e 18h.", 60, { status: "delivered" });
  wrote("O código de rastreio é https://rastreio.exemplo.com/BR10482.", 59, { status: "sent" });
  said("😍👏", 30);
  const refused = { error: { code: "131053", title: "Media upload error" } };
  wrote("", 20, { message_type: "image", content: {}, status: "failed", ...refused });
  said("Muito obrigada!", 4);
  wrote("Imagine! Qualquer coisa, estou por aqui.", 1, { status: "pending" });

  const names = [
    "João Pedro",
    "Lúcia Ferraz",
    "Mercado Aurora",
    "Rafael Nunes",
    "Padaria Três Irmãos",
    "Sofia 🌻",
    "Dona Neide",
    "Igor Batista",
    "محمد علي",
    "Beatriz Campos",
    "Oficina do Zé",
  ];
  const texts = [
    "Consegue me passar o valor do frete?",
    "Ainda não chegou…",
    "Preciso trocar o tamanho, dá tempo?",
    "👍",
    "Qual o horário de vocês no sábado?",
    "Mandei o comprovante agora há pouco, podem conferir por favor? É o segundo que mando esta semana.",
    "Oi",
    "Obrigado!",
    "مرحبا، هل الطلب جاهز؟",
    "Fechado então",
    "Bom dia",
  ];
  const others = names.map((name, index) => {
    const owner = [me.id, null, bruno.id, null][index % 4] ?? null;
    const conversation = world.addConversation(name, owner);
    const message = world.receive(conversation, texts[index] ?? "Oi");
    message.created_at = minutes(5 + index * index * 22);
    conversation.body.updated_at = message.created_at;
    if (index % 3 === 2) {
      const answer = world.write(conversation, {
        sender_id: me.id,
        content: { text: "Vou conferir e já te digo." },
        status: "delivered",
      });
      answer.created_at = message.created_at;
      conversation.body.updated_at = message.created_at;
      conversation.readInbound.set(me.id, 1);
    }
    return conversation;
  });
  const [soon, closed] = others;
  if (soon) soon.body.window_expires_at = new Date(Date.now() + 25 * 60_000).toISOString();
  if (closed) closed.body.window_expires_at = minutes(1);
  return { me, conversations: [long, ...others] };
}
