"""The control API: people, faults and the truth, by JSON.

GET  /control/state                        counts, faults, who exists
GET  /control/customers                    all customers
POST /control/customers                    {phone, name, persona?, has_written?}, or a list
POST /control/customers/{wa_id}/messages   {text} or a message as the provider writes it
GET  /control/customers/{wa_id}/messages   what the two sides wrote, for the phone page
PATCH /control/faults                      {name: probability, …}
POST /control/number                       {access_token}: the old one expires
PATCH /control/templates                   {name, status}: and a webhook tells of it
POST /control/customers/{wa_id}/marketing  {wanted}: the customer stops or allows marketing
POST /control/news                         {field, value}: any other webhook of the account
"""

from dataclasses import asdict
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from pytake.simulator.course import Course
from pytake.simulator.oracle import Oracle
from pytake.simulator.postman import Postman
from pytake.simulator.world import Customer, World


class Control:
    def __init__(self, world: World, course: Course, postman: Postman, oracle: Oracle) -> None:
        self._world = world
        self._course = course
        self._postman = postman
        self._oracle = oracle

    def routes(self) -> list[Route]:
        one = "/control/customers/{wa_id}/messages"
        return [
            Route("/", self._page),
            Route("/control/state", self._state),
            Route("/control/customers", self._customers),
            Route("/control/customers", self._add_customers, methods=["POST"]),
            Route(one, self._write, methods=["POST"]),
            Route(one, self._thread),
            Route("/control/customers/{wa_id}/marketing", self._marketing, methods=["POST"]),
            Route("/control/news", self._news, methods=["POST"]),
            Route("/control/faults", self._faults, methods=["PATCH"]),
            Route("/control/redeliver", self._redeliver, methods=["POST"]),
            Route("/control/number", self._number, methods=["POST"]),
            Route("/control/templates", self._template, methods=["PATCH"]),
        ]

    async def _page(self, request: Request) -> Response:
        page = files("pytake.simulator").joinpath("phone.html").read_text("utf-8")
        return HTMLResponse(page)

    async def _state(self, request: Request) -> Response:
        return JSONResponse(
            {
                "counts": self._oracle.counts(),
                "customers": len(self._world.customers),
                "faults": asdict(self._world.faults),
                "is_idle": self._postman.is_idle,
                "posts": self._postman.posts,
                "refused_forgeries": self._postman.refused_forgeries,
                "accepted_forgeries": self._postman.accepted_forgeries,
            }
        )

    async def _customers(self, request: Request) -> Response:
        return JSONResponse({"items": [_shown(c) for c in self._world.customers.values()]})

    async def _add_customers(self, request: Request) -> Response:
        body = await request.json()
        added = [
            self._world.add_customer(
                person["phone"],
                person["name"],
                persona=person.get("persona", "friendly"),
                has_written=bool(person.get("has_written")),
            )
            for person in (body if isinstance(body, list) else [body])
        ]
        return JSONResponse({"items": [_shown(c) for c in added]}, 201)

    async def _write(self, request: Request) -> Response:
        customer = self._world.customer(request.path_params["wa_id"])
        if customer is None:
            return JSONResponse({"error": "no such customer"}, 404)
        body: dict[str, Any] = await request.json()
        message = body if "type" in body else {"type": "text", "text": {"body": body["text"]}}
        return JSONResponse({"id": self._course.write(customer, message)}, 201)

    async def _thread(self, request: Request) -> Response:
        customer = self._world.customer(request.path_params["wa_id"])
        if customer is None:
            return JSONResponse({"error": "no such customer"}, 404)
        ours = [
            (sent.accepted_at, {"from": "business", "message": _said(sent.body)})
            for sent in self._world.sent_to(customer)
        ]
        theirs = [
            (float(written.message["timestamp"]), {"from": "customer", "message": written.message})
            for written in self._oracle.written.values()
            if written.customer is customer and not written.is_echo
        ]
        thread = [entry for _, entry in sorted(ours + theirs, key=lambda pair: pair[0])]
        return JSONResponse({"items": thread[-200:]})

    async def _faults(self, request: Request) -> Response:
        try:
            self._world.faults = self._world.faults.changed(await request.json())
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse(asdict(self._world.faults))

    async def _redeliver(self, _request: Request) -> Response:
        return JSONResponse({"items": self._postman.redeliver()})

    async def _number(self, request: Request) -> Response:
        body = await request.json()
        self._world.number().access_token = body["access_token"]
        return JSONResponse({"ok": True})

    async def _template(self, request: Request) -> Response:
        body = await request.json()
        for template in self._world.templates:
            if template["name"] == body["name"]:
                template["status"] = body["status"]
                self._tell_of(template)
        return JSONResponse({"items": self._world.templates})

    async def _marketing(self, request: Request) -> Response:
        customer = self._world.customer(request.path_params["wa_id"])
        if customer is None:
            return JSONResponse({"error": "no such customer"}, 404)
        body = await request.json()
        self._course.choose_marketing(customer, is_wanted=bool(body.get("wanted")))
        return JSONResponse(_shown(customer))

    async def _news(self, request: Request) -> Response:
        body = await request.json()
        self._course.tell(body["field"], body["value"])
        return JSONResponse({"ok": True}, 201)

    def _tell_of(self, template: dict[str, Any]) -> None:
        value = {
            "event": template["status"],
            "message_template_name": template["name"],
            "message_template_language": template["language"],
        }
        self._course.tell("message_template_status_update", value)


def _shown(customer: Customer) -> dict[str, Any]:
    return {
        "wa_id": customer.wa_id,
        "name": customer.name,
        "phone": customer.dialled,
        "user_id": customer.user_id,
        "persona": customer.persona,
        "read_up_to": customer.read_up_to,
        "wants_no_marketing": customer.wants_no_marketing,
    }


def _said(body: dict[str, Any]) -> dict[str, Any]:
    kind = body.get("type", "text")
    return {"type": kind, kind: body.get(kind)}
