"""What becomes of messages: those of the business get statuses, those of customers are posted."""

import itertools
from collections.abc import Callable
from typing import Any

from pytake.simulator.envelopes import (
    Change,
    echo_value,
    history_value,
    message_value,
    preferences_value,
    status_value,
)
from pytake.simulator.oracle import Oracle, Written
from pytake.simulator.postman import Parcel, Postman
from pytake.simulator.world import Customer, Number, Sent, World

HISTORY_SECONDS = 3 * 24 * 3600
EMOJI = ("👍", "❤️", "😂", "🙏🏽")


class Course:
    """Starts what follows from a message, in either direction.

    Args:
        sent_after, delivered_after, read_after: Seconds (from, to) until each status.
    """

    def __init__(
        self,
        world: World,
        postman: Postman,
        oracle: Oracle,
        *,
        sent_after: tuple[float, float] = (0.05, 0.3),
        delivered_after: tuple[float, float] = (0.2, 0.8),
        read_after: tuple[float, float] = (0.5, 2.5),
    ) -> None:
        self._world = world
        self._postman = postman
        self._oracle = oracle
        self._steps = {"sent": sent_after, "delivered": delivered_after, "read": read_after}
        self._numbers = itertools.count(1)
        self.on_accepted: Callable[[Sent], None] = lambda sent: None

    # --- messages of the business --------------------------------------------------------

    def accept(
        self,
        number: Number,
        customer: Customer,
        body: dict[str, Any],
        *,
        name: str,
        before_answer: bool,
    ) -> Sent:
        """Take a message and start its statuses; the first at once where it is to be early.

        `name` is what the dice call it; its id is made of it.
        """
        world = self._world
        copies = self._oracle.times_accepted(str(body.get("biz_opaque_callback_data")))
        sent = Sent(
            id=f"wamid.{world.dice.seed}.out.{name}.{copies}",
            customer=customer,
            phone_number_id=number.phone_number_id,
            body=body,
            accepted_at=world.time.now(),
            callback_data=body.get("biz_opaque_callback_data"),
        )
        world.sent[sent.id] = sent
        self._oracle.accepted(sent)
        self._start_statuses(number, sent, at_once=before_answer)
        self.on_accepted(sent)
        return sent

    def answer_lost(self, sent: Sent) -> None:
        """The sender will never hear that this message was taken, and may send it again."""
        self._oracle.answer_lost(sent)

    def _start_statuses(self, number: Number, sent: Sent, *, at_once: bool) -> None:
        faults, dice = self._world.faults, self._world.dice
        if dice.happens(faults.failed_status, "failed_status", sent.id):
            codes = faults.failure_codes
            code = codes[dice.index(len(codes), "failure code", sent.id)]
            self._post_status(number, sent, "failed", 0.3, code=code)
            return
        if sent.customer.has_blocked:
            self._post_status(number, sent, "sent", 0.1)
            return
        delay = 0.0
        for status in ("sent", "delivered", "read"):
            delay += dice.between(*self._steps[status], status, sent.id)
            skipped = status == "delivered" and dice.happens(
                faults.read_without_delivered, "undelivered", sent.id
            )
            if not skipped:
                early = at_once and status == "sent"
                self._post_status(number, sent, status, 0.0 if early else delay)

    def _post_status(
        self, number: Number, sent: Sent, status: str, delay: float, code: int | None = None
    ) -> None:
        world = self._world
        value = status_value(
            number,
            sent,
            status,
            int(world.time.now() + delay),
            code=code,
            with_conversation=world.dice.happens(
                world.faults.conversation_object, "conversation", sent.id
            ),
        )
        self._postman.hand_over(
            Parcel(
                key=f"{sent.id}/{status}",
                field_name="messages",
                value=value,
                on_confirmed=lambda: sent.statuses.append(status),
            ),
            delay=delay,
        )

    def written(self, message_id: str) -> Written | None:
        """Return what a customer has written, by its id."""
        return self._oracle.written.get(message_id)

    # --- messages of customers -----------------------------------------------------------

    def write(
        self, customer: Customer, message: dict[str, Any], *, number: Number | None = None
    ) -> str:
        """Let a customer write; return the message's id."""
        world = self._world
        number = number or world.number()
        customer.written += 1
        customer.wrote_at = world.time.now()
        message_id = f"wamid.{world.dice.seed}.in.{customer.user_id}.{customer.written}"
        if world.dice.happens(world.faults.unknown_type, "unknown_type", message_id):
            message = {"type": "hologram", "hologram": {"depth": 3}}
        full = message | {"id": message_id, "timestamp": str(int(world.time.now()))}
        self._oracle.wrote(customer, full)
        self._postman.hand_over(
            Parcel(
                key=message_id,
                field_name="messages",
                value=message_value(number, customer, full),
                on_post=lambda: self._oracle.posted(message_id),
                on_confirmed=lambda: self._oracle.confirmed(message_id),
            )
        )
        if world.dice.happens(world.faults.echo, "echo", message_id):
            self._echo(number, customer, message_id)
        if not customer.hides_phone and world.dice.happens(
            world.faults.history, "history", message_id
        ):
            self._history(number, customer, message_id)
        return message_id

    def _history(self, number: Number, customer: Customer, message_id: str) -> None:
        """Post two old messages, one of each side, as a number that joins with its past does."""
        long_ago = int(self._world.time.now()) - HISTORY_SECONDS
        old = [
            {
                "from": sender,
                "id": f"{message_id}.history.{place}",
                "timestamp": str(long_ago + place),
                "type": "text",
                "text": {"body": text},
                "history_context": {"status": "READ"},
            }
            for place, (sender, text) in enumerate(
                (
                    (customer.wa_id, "Mensagem antiga do cliente."),
                    (number.display_phone_number, "Resposta antiga da loja."),
                )
            )
        ]
        self._oracle.wrote(customer, old[0])
        self._oracle.echoed(customer, old[1])
        ids = [str(each["id"]) for each in old]

        def posted() -> None:
            for each in ids:
                self._oracle.posted(each)

        def confirmed() -> None:
            for each in ids:
                self._oracle.confirmed(each)

        self._postman.hand_over(
            Parcel(
                key=f"{message_id}.history",
                field_name="history",
                value=history_value(number, customer, old),
                on_post=posted,
                on_confirmed=confirmed,
            ),
            delay=0.4,
        )

    def _echo(self, number: Number, customer: Customer, message_id: str) -> None:
        echo_id = f"{message_id}.echo"
        echo = {
            "id": echo_id,
            "timestamp": str(int(self._world.time.now())),
            "type": "text",
            "text": {"body": "Respondido pelo celular."},
        }
        self._oracle.echoed(customer, echo)
        self._postman.hand_over(
            Parcel(
                key=echo_id,
                field_name="smb_message_echoes",
                value=echo_value(number, customer, echo),
                on_post=lambda: self._oracle.posted(echo_id),
                on_confirmed=lambda: self._oracle.confirmed(echo_id),
            ),
            delay=0.2,
        )

    def choose_marketing(self, customer: Customer, *, is_wanted: bool) -> None:
        """Let a customer stop marketing messages, or allow them again."""
        customer.wants_no_marketing = not is_wanted
        number = self._world.number()
        self.tell("user_preferences", preferences_value(number, customer, self._world.time.now()))

    def tell(self, field_name: str, value: Change) -> None:
        """Post news of the account, as it comes beside messages."""
        key = f"news/{field_name}/{next(self._numbers)}"
        self._postman.hand_over(Parcel(key, field_name, value))

    def react(self, customer: Customer, to_message_id: str) -> str:
        """Let a customer react to a message with an emoji."""
        emoji = EMOJI[self._world.dice.index(len(EMOJI), "emoji", to_message_id)]
        return self.write(
            customer,
            {"type": "reaction", "reaction": {"message_id": to_message_id, "emoji": emoji}},
        )
