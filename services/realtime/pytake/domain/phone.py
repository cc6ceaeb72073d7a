"""Phone numbers that differ in writing and are one telephone.

WhatsApp accounts made before Brazil's ninth digit keep the old form: the telephone
`55 11 98765-4321` has the WhatsApp id `551187654321`. Argentina (`54`/`549`) and Mexico
(`52`/`521`) have the same kind of doubling. Nothing is ever rewritten: both forms are
names of one contact, and the reply goes to the form that WhatsApp gave.
"""

import re


def digits_of(phone: str) -> str:
    """Return the digits alone, as WhatsApp writes numbers."""
    return re.sub(r"\D", "", phone)


def variants(phone: str) -> tuple[str, ...]:
    """Return every writing of the number, the given one first.

    Only mobile ranges are varied: a Brazilian landline (first digit 2 to 5) with an added
    nine would be somebody else's number.
    """
    digits = digits_of(phone)
    other = _other_form(digits)
    return (digits,) if other is None else (digits, other)


def _other_form(digits: str) -> str | None:
    if match := re.fullmatch(r"(55[1-9]\d)9([6-9]\d{7})", digits):
        return match[1] + match[2]
    if match := re.fullmatch(r"(55[1-9]\d)([6-9]\d{7})", digits):
        return f"{match[1]}9{match[2]}"
    for country, mark in (("54", "9"), ("52", "1")):
        if match := re.fullmatch(rf"{country}{mark}(\d{{10}})", digits):
            return country + match[1]
        if match := re.fullmatch(rf"{country}(\d{{10}})", digits):
            return country + mark + match[1]
    return None
