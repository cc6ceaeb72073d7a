"""Who is there and what was said when `pytake dev` starts for the first time.

Each line of a talk is who wrote (`c` the customer, `a` Ana, `b` Bruno), how many minutes
ago, and the text.
"""

from dataclasses import dataclass

ORGANIZATION = "Casa Aurora (demo)"
PASSWORD = "demo"  # noqa: S105
ACCOUNTS = (
    ("admin@demo.pytake", "Marina Admin", "admin"),
    ("ana@demo.pytake", "Ana Souza", "agent"),
    ("bruno@demo.pytake", "Bruno Lima", "agent"),
)


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation. `assigned_to` is the beginning of an account, or nobody.

    `notes` are (who, text), as of now; colleagues alone see them.
    """

    name: str
    phone: str
    persona: str
    assigned_to: str | None
    lines: tuple[tuple[str, int, str], ...]
    labels: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()


CANNED_REPLIES = (
    ("aguarde", "Só um instante, por favor. Vou verificar para você."),
    ("obrigado", "Obrigado pelo contato! Se precisar, é só chamar."),
    ("oi", "Olá! Tudo bem? Como posso ajudar?"),
    ("prazo", "A entrega leva de 3 a 7 dias úteis, e o rastreio chega por e-mail."),
)


TALKS = (
    Talk(
        "Juliana Prado",
        "+5511987650001",
        "friendly",
        "ana",
        (
            ("c", 95, "Oi, bom dia! Comprei a mesa Ipê na sexta e ainda não recebi o rastreio 😕"),
            ("a", 92, "Bom dia, Juliana! Já estou olhando o seu pedido, um minutinho."),
            ("a", 90, "Ele saiu do depósito hoje cedo. O código chega no seu e-mail até as 14h."),
            ("c", 88, "Ah, que ótimo! Obrigada pela rapidez."),
        ),
        labels=("entrega",),
    ),
    Talk(
        "Carlos Eduardo Nunes",
        "+5521976540002",
        "chatty",
        None,
        (
            ("c", 12, "Boa tarde"),
            ("c", 12, "Vocês entregam em Niterói?"),
            ("c", 11, "Queria saber o frete para o CEP 24220-000"),
        ),
    ),
    Talk(
        "Dona Lúcia",
        "+5531998760003",
        "friendly",
        "bruno",
        (
            ("c", 180, "Meu filho, a cadeira veio com um parafuso faltando"),
            ("b", 176, "Boa tarde, dona Lúcia! Pode me mandar uma foto da etiqueta, por favor?"),
            ("c", 170, "Vou pedir para o meu neto tirar"),
            ("b", 168, "Combinado! Já deixei um kit de parafusos separado para a senhora."),
            ("c", 41, "Ele vem no domingo 😊"),
        ),
        labels=("troca", "vip"),
        notes=(("bruno", "@Ana Souza ela compra conosco desde 2019, o kit sai sem custo."),),
    ),
    Talk(
        "Pedro Henrique",
        "+5541988880004",
        "sender",
        "ana",
        (
            ("c", 300, "O boleto venceu ontem, dá para gerar outro?"),
            ("a", 295, "Claro, Pedro. Mando o novo em seguida, com vencimento na sexta."),
            ("c", 290, "Fechado 👍"),
        ),
    ),
    Talk(
        "Fernanda Ribeiro",
        "+5551999990005",
        "friendly",
        None,
        (
            ("c", 6, "Olá! Vi o sofá Brisa no Instagram."),
            ("c", 5, "Tem na cor verde-musgo? E qual é a largura?"),
        ),
    ),
    Talk(
        "Restaurante Sabor & Arte",
        "+5571933330006",
        "chatty",
        "bruno",
        (
            ("c", 1500, "Precisamos de 24 cadeiras para o salão. Fazem preço para empresa?"),
            ("b", 1490, "Fazemos, sim! A partir de 20 peças o desconto é de 12 %."),
            ("c", 1480, "Ótimo. Pode mandar a proposta no CNPJ?"),
            ("b", 1470, "Enviei agora para o e-mail cadastrado. A proposta vale por 10 dias."),
        ),
    ),
    Talk(
        "Thiago Alves",
        "+5561981110007",
        "friendly",
        "ana",
        (
            ("c", 60, "A nota fiscal saiu com o CPF da minha esposa"),
            ("a", 55, "Entendi, Thiago. Vou pedir a correção ao fiscal; leva até um dia útil."),
            ("c", 54, "Sem problema, fico no aguardo"),
        ),
    ),
    Talk(
        "Beatriz Camargo",
        "+5581992220008",
        "silent",
        None,
        (("c", 240, "Vocês abrem no feriado?"),),
    ),
    Talk(
        "Seu Antônio",
        "+5585994440009",
        "friendly",
        "bruno",
        (
            ("c", 33, "O montador não apareceu hoje de manhã"),
            ("b", 30, "Seu Antônio, peço desculpas! Vou falar com a equipe agora mesmo."),
            ("b", 22, "Conseguimos encaixar o senhor hoje às 16h. Pode ser?"),
            ("c", 20, "Pode sim, obrigado"),
        ),
    ),
    Talk(
        "Larissa Monteiro",
        "+5511955550010",
        "sender",
        None,
        (
            ("c", 3, "Oii, quero trocar a luminária, ela é maior do que eu pensava"),
            ("c", 2, "Posso devolver na loja da Vila Mariana?"),
        ),
    ),
    Talk(
        "Rafael Teixeira",
        "+5548991110011",
        "friendly",
        "ana",
        (
            ("c", 700, "Dá para parcelar em 10x sem juros?"),
            ("a", 690, "Dá, sim! Acima de R$ 800 é em até 10x sem juros no cartão."),
            ("c", 680, "Show, vou fechar pelo site então"),
            ("a", 678, "Perfeito! Qualquer coisa é só chamar."),
        ),
    ),
    Talk(
        "Clínica Bem-Estar",
        "+5562993330012",
        "friendly",
        "bruno",
        (
            ("c", 2000, "Bom dia, recebemos as poltronas. Ficaram lindas na recepção!"),
            ("b", 1990, "Que alegria saber disso! Podemos usar uma foto no nosso site?"),
            ("c", 1980, "Claro, já te mando ❤️"),
        ),
    ),
)
