"""What inputs are made of: words that mean something to the parsers, and inputs to begin with."""

from __future__ import annotations

import orjson

CONVERSATION = "c0000000-0000-4000-8000-00000000beef"
SEPARATOR = b"\x1e"

_EVENTS = [
    b'["join_conversation",{"conversation_id":"%b","last_seq":0,"epoch":"x"}]',
    b'["join_conversations",{"conversations":[{"conversation_id":"%b"}]}]',
    b'["leave_conversation",{"conversation_id":"%b"}]',
    b'["typing_start",{"conversation_id":"%b"}]',
    b'["typing_stop",{"conversation_id":"%b"}]',
    b'["mark_read",{"conversation_id":"%b","seq":1}]',
    b'["message:receipt",{"items":[{"conversation_id":"%b","seq":1}],"t":1.5}]',
    b'["auth:refresh",{"token":"%b"}]',
    b'["ping",{"t":["%b"]}]',
]
EVENTS = [event.replace(b"%b", CONVERSATION.encode()) for event in _EVENTS]

TEXT, RAW, POLLING = b"\x00", b"\x01", b"\x02"
"""The first byte of an input for the gateway: packets in frames of ours, bytes of a websocket
as they are, or bodies of polling."""

_PACKETS = [
    *(b"42" + event for event in EVENTS),
    b"421" + EVENTS[0],
    b'4512-1["ping",{"t":{"_placeholder":true,"num":0}}]',
    b'461-1["x",{"_placeholder":true,"num":0}]',
    b'431["ok"]',
    b"41",
    b'40{"token":"x"}',
    b'40/admin,{"token":"x"}',
    b'44{"message":"no"}',
    b"2probe",
    b"3",
    b"5",
    b"1",
]
_BODIES = [
    b'{"contact":{"name":"Rui","phone":"+5511987654321"},"channel_id":null}',
    b'{"message_type":"text","content":{"text":"ol\xc3\xa1"},"client_message_id":"a"}',
    b'{"message_type":"template","content":{"name":"a","language":"pt_BR","components":[]}}',
    b'{"message_type":"image","content":{"media_id":"c0000000-0000-4000-8000-00000000beef"}}',
    b'{"assigned_to":null,"status":"closed"}',
    b'{"email":"a@b.test","password":"secret-secret"}',
    b'{"name":"N","phone_number_id":"1","access_token":"x"}',
]
_DELIVERY = orjson.dumps(
    {
        "object": "whatsapp_business_account",
        "entry": [
            {
                "id": "1",
                "changes": [
                    {
                        "field": "messages",
                        "value": {
                            "messaging_product": "whatsapp",
                            "metadata": {"phone_number_id": "1"},
                            "contacts": [{"wa_id": "5511987654321", "profile": {"name": "R"}}],
                            "messages": [
                                {
                                    "from": "5511987654321",
                                    "id": "wamid.1",
                                    "timestamp": "1700000000",
                                    "type": "text",
                                    "text": {"body": "oi"},
                                    "context": {"id": "wamid.0"},
                                }
                            ],
                            "statuses": [
                                {
                                    "id": "wamid.1",
                                    "status": "delivered",
                                    "timestamp": "1700000000",
                                    "recipient_id": "5511987654321",
                                    "errors": [{"code": 131047, "title": "t"}],
                                }
                            ],
                        },
                    }
                ],
            }
        ],
    }
)
_TOKEN = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjo5OTk5OTk5OTk5fQ.c2ln"
_CLAIMS = b'{"sub":"a","organization_id":"b","role":"agent","exp":9999999999,"jti":"j","name":"n"}'
_ENVELOPE = b'{"o":"a","c":"b","s":1,"e":"message:new","a":1,"b":1,"t":1,"q":1}\n{"seq":1}'

SEEDS: dict[str, list[bytes]] = {
    "gateway": [
        *(TEXT + packet for packet in _PACKETS),
        TEXT + SEPARATOR.join(_PACKETS[:8]),
        POLLING + SEPARATOR.join(_PACKETS[:4]),
        POLLING + b"bAAAA",
        RAW + b"\x81\x85\0\0\0\x0042[]]",
        RAW + b"\x89\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xe8",
        RAW + b"\xc1\x85\0\0\0\0\x2a\x8d\x06\x00\x00",
        RAW + b"\x01\x82\0\0\0\x0042\x80\x83\0\0\0\0[1]",
    ],
    "payloads": [*EVENTS, *_BODIES, _DELIVERY, _TOKEN, _CLAIMS, _ENVELOPE],
}

_WORDS = [
    CONVERSATION,
    *(event.decode().split('"')[1] for event in EVENTS),
    *("conversation_id", "last_seq", "epoch", "conversations", "seq", "items", "token", "t"),
    *("_placeholder", "num", "null", "true", "1e999", "-1", "9" * 25, "[[[[[[[[", "{}", "[]"),
    *("messages", "statuses", "contacts", "metadata", "context", "errors", "interactive"),
    *("content", "template", "reaction", "location", "caption", "filename", "media_id"),
]
_BYTES = [r"\x1e", r"\xff", r"\xed\xa0\x80", r"\\u0000", r"\\ud800", r"\xc1\x7e", r"\x81\xfe"]

DICTIONARY = "".join(f'"{word}"\n' for word in [*_WORDS, *_BYTES])
