"""What people read when a message did not arrive: from a code to a sentence and a next step.

One table for the API (`error` of a message, in English) and for the inbox (every language, as
`failures.gen.ts`). Clients decide by `error.code`; these words may change.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Words = tuple[str, str]
"""What happened, and what to do next."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One row of the table, in the languages of the inbox."""

    en: Words
    pt: Words


UNCONFIRMED = "unconfirmed"
CHANNEL_STOPPED = "channel_stopped"
NOT_SENDABLE = "not_sendable"
OTHER = "whatsapp"
"""For a code of WhatsApp's that has no row of its own, and where there was none."""


def whatsapp(code: int) -> str:
    """Return the `error.code` that a code of WhatsApp's becomes."""
    return f"{OTHER}_{code}"


_SIGNED_OUT = Failure(
    (
        "The number is not signed in to WhatsApp.",
        "Tell an admin: its access token must be renewed. The message waits.",
    ),
    (
        "O número não está conectado ao WhatsApp.",
        "Avise quem administra: o token de acesso precisa ser renovado. A mensagem espera.",
    ),
)
_PASSING = Failure(
    ("WhatsApp did not take the message just now.", "Nothing to do: it is sent again by itself."),
    ("O WhatsApp não aceitou a mensagem agora.", "Nada a fazer: ela é enviada de novo sozinha."),
)
_TOO_FAST = Failure(
    ("Too many messages at once.", "Nothing to do: it is sent by itself in a moment."),
    ("Mensagens demais ao mesmo tempo.", "Nada a fazer: ela sai sozinha em instantes."),
)
_STOPPED = Failure(
    (
        "WhatsApp has stopped this number.",
        "Tell an admin: the account needs attention in Meta's business manager. The message waits.",
    ),
    (
        "O WhatsApp parou este número.",
        "Avise quem administra: a conta precisa de atenção no gerenciador da Meta. "
        "A mensagem espera.",
    ),
)
_BAD_REQUEST = Failure(
    (
        "WhatsApp does not take a message of this form.",
        "Write it differently; tell an admin if it happens again.",
    ),
    (
        "O WhatsApp não aceita uma mensagem desta forma.",
        "Escreva de outro jeito; se acontecer de novo, avise quem administra.",
    ),
)
_TEMPLATE = Failure(
    ("WhatsApp does not take this template.", "Choose another one; an admin can see its state."),
    (
        "O WhatsApp não aceita este modelo.",
        "Escolha outro; quem administra pode ver o estado dele.",
    ),
)
_REGISTRATION = Failure(
    (
        "The number is not fully registered with WhatsApp.",
        "Tell an admin: it must be registered in Meta's business manager.",
    ),
    (
        "O número não está totalmente registrado no WhatsApp.",
        "Avise quem administra: ele precisa ser registrado no gerenciador da Meta.",
    ),
)


def _table() -> dict[str, Failure]:
    table: dict[str, Failure] = {}

    def say(failure: Failure, *codes: int) -> None:
        table.update((whatsapp(code), failure) for code in codes)

    def one(code: int, en: Words, pt: Words) -> None:
        table[whatsapp(code)] = Failure(en, pt)

    say(_SIGNED_OUT, 0, 3, 10, 190, *range(200, 300))
    say(_PASSING, 1, 2, 131000, 131016, 131057, 133004)
    say(_TOO_FAST, 4, 80007, 130429, 133016)
    say(_STOPPED, 368, 131031, 131037, 130497)
    say(_BAD_REQUEST, 33, 100, 131008, 131009)
    say(_TEMPLATE, 132018, 132068, 132069)
    say(_REGISTRATION, 131045, *(code for code in range(133000, 133016) if code != 133004))
    one(
        131056,
        ("Too many messages to this customer at once.", "Nothing to do: it is sent in a moment."),
        ("Mensagens demais para este cliente.", "Nada a fazer: ela sai em instantes."),
    )
    one(
        131048,
        (
            "WhatsApp has limited this number after reports of spam.",
            "Tell an admin: write only to customers who want it. The message waits.",
        ),
        (
            "O WhatsApp limitou este número por denúncias de spam.",
            "Avise quem administra: escreva só para quem quer receber. A mensagem espera.",
        ),
    )
    one(
        131042,
        (
            "WhatsApp has no valid payment method for this account.",
            "Tell an admin: the payment must be settled with Meta. The message waits.",
        ),
        (
            "O WhatsApp não tem uma forma de pagamento válida para esta conta.",
            "Avise quem administra: o pagamento precisa ser acertado com a Meta. "
            "A mensagem espera.",
        ),
    )
    one(
        131047,
        (
            "The customer has not written within the last 24 hours.",
            "Send an approved template, or wait for the customer to write.",
        ),
        (
            "O cliente não escreveu nas últimas 24 horas.",
            "Envie um modelo aprovado, ou espere o cliente escrever.",
        ),
    )
    one(
        131026,
        (
            "The customer cannot be reached: no WhatsApp, an old version, or terms not accepted.",
            "Check the number, or contact the customer another way.",
        ),
        (
            "O cliente não pode receber: sem WhatsApp, versão antiga ou termos não aceitos.",
            "Confira o número, ou fale com o cliente por outro meio.",
        ),
    )
    one(
        131021,
        ("The number cannot write to itself.", "Check the customer's number."),
        ("O número não pode escrever para si mesmo.", "Confira o número do cliente."),
    )
    one(
        131030,
        (
            "This test number may not write to the customer.",
            "Tell an admin: the customer is not in Meta's list of test recipients.",
        ),
        (
            "Este número de teste não pode escrever para o cliente.",
            "Avise quem administra: o cliente não está na lista de teste da Meta.",
        ),
    )
    one(
        131049,
        (
            "WhatsApp limits marketing messages to this customer.",
            "Send no more marketing today; answer when the customer writes.",
        ),
        (
            "O WhatsApp limita mensagens de marketing para este cliente.",
            "Não envie mais marketing hoje; responda quando o cliente escrever.",
        ),
    )
    one(
        130472,
        (
            "WhatsApp did not deliver because of an experiment of its own.",
            "Send no marketing to this customer; answer when the customer writes.",
        ),
        (
            "O WhatsApp não entregou por causa de um teste deles.",
            "Não envie marketing para este cliente; responda quando ele escrever.",
        ),
    )
    one(
        131050,
        (
            "The customer does not want marketing messages.",
            "Respect the wish; answer when the customer writes.",
        ),
        (
            "O cliente não quer receber mensagens de marketing.",
            "Respeite o pedido; responda quando o cliente escrever.",
        ),
    )
    one(
        131051,
        ("WhatsApp does not take this kind of message.", "Send it another way."),
        ("O WhatsApp não aceita este tipo de mensagem.", "Envie de outra forma."),
    )
    one(
        131052,
        ("The customer's file could not be fetched.", "Ask the customer to send it again."),
        ("O arquivo do cliente não pôde ser baixado.", "Peça ao cliente que envie de novo."),
    )
    one(
        131053,
        ("WhatsApp could not take the file.", "Check its type and size, and send it again."),
        ("O WhatsApp não aceitou o arquivo.", "Confira tipo e tamanho, e envie de novo."),
    )
    one(
        131005,
        ("The number lacks a permission.", "Tell an admin: the token must allow messaging."),
        (
            "Falta uma permissão ao número.",
            "Avise quem administra: o token precisa permitir envios.",
        ),
    )
    one(
        132000,
        ("The template's fields are not all filled in.", "Fill in every field and send again."),
        ("Faltam campos no modelo.", "Preencha todos e envie de novo."),
    )
    one(
        132001,
        ("The template does not exist in this language.", "Choose another template."),
        ("O modelo não existe neste idioma.", "Escolha outro modelo."),
    )
    one(
        132005,
        ("The filled-in template is too long.", "Shorten what you filled in."),
        ("O modelo preenchido ficou longo demais.", "Encurte o que preencheu."),
    )
    one(
        132007,
        ("The template breaks a rule of WhatsApp's.", "Choose another template; tell an admin."),
        ("O modelo viola uma regra do WhatsApp.", "Escolha outro modelo; avise quem administra."),
    )
    one(
        132012,
        ("A field of the template has the wrong form.", "Check what you filled in."),
        ("Um campo do modelo está no formato errado.", "Confira o que preencheu."),
    )
    one(
        132015,
        ("The template is paused because of low quality.", "Choose another template."),
        ("O modelo está pausado por baixa qualidade.", "Escolha outro modelo."),
    )
    one(
        132016,
        ("The template was switched off for good.", "Choose another template; tell an admin."),
        ("O modelo foi desativado de vez.", "Escolha outro modelo; avise quem administra."),
    )
    one(
        134011,
        (
            "The terms for payments are not accepted.",
            "Tell an admin: Meta's payment terms must be accepted.",
        ),
        (
            "Os termos de pagamento não foram aceitos.",
            "Avise quem administra: os termos da Meta precisam ser aceitos.",
        ),
    )
    return table


FAILURES: Mapping[str, Failure] = {
    UNCONFIRMED: Failure(
        (
            "WhatsApp did not answer; the message may or may not have reached the customer.",
            "Wait a moment; if nothing comes, ask the customer before you send it again.",
        ),
        (
            "O WhatsApp não confirmou; a mensagem pode ter chegado ou não.",
            "Espere um pouco; se nada vier, pergunte ao cliente antes de enviar de novo.",
        ),
    ),
    CHANNEL_STOPPED: _STOPPED,
    NOT_SENDABLE: Failure(
        ("This message cannot be sent on WhatsApp.", "Write it differently."),
        ("Esta mensagem não pode ser enviada pelo WhatsApp.", "Escreva de outra forma."),
    ),
    OTHER: Failure(
        (
            "WhatsApp refused the message.",
            "Try it once more; tell an admin if it fails again.",
        ),
        (
            "O WhatsApp recusou a mensagem.",
            "Tente mais uma vez; se falhar de novo, avise quem administra.",
        ),
    ),
    **_table(),
}


def failure_of(code: str) -> Failure:
    """Return the row of a message's `error.code`."""
    return FAILURES.get(code, FAILURES[OTHER])
