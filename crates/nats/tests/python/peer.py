"""The other side of the test beside it: nats-py and opentelemetry-python, nothing of ours.

    peer.py URL publish|request|subscribe|respond|serve SUBJECT FIELDS

FIELDS is a JSON object of header fields: the context in which a sender works. What receives
prints a line "ready" first, and ends with its standard input. Each span is a line of JSON, and so
are the headers of a reply.
"""

import asyncio
import contextlib
import json
import sys

import nats
import nats.micro
from nats.errors import NoRespondersError
from nats.micro.request import ServiceError
from opentelemetry import baggage, context, trace
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.trace import TracerProvider

trace.set_tracer_provider(TracerProvider())
tracer = trace.get_tracer("peer")


def show(line):
    print(json.dumps(line), flush=True)


@contextlib.contextmanager
def span_below(fields):
    """A span below the context that the fields carry."""
    token = context.attach(extract(fields or {}))
    try:
        with tracer.start_as_current_span("peer") as span:
            show_span(span)
            yield
    finally:
        context.detach(token)


def show_span(span):
    ids = span.get_span_context()
    # What is not recorded does not say what it is below.
    parent = span.parent if span.is_recording() else None
    show(
        {
            "trace_id": trace.format_trace_id(ids.trace_id),
            "span_id": trace.format_span_id(ids.span_id),
            "parent_span_id": parent and trace.format_span_id(parent.span_id),
            "sampled": ids.trace_flags.sampled,
            "tracestate": ids.trace_state.to_header(),
            "baggage": dict(baggage.get_all()),
        }
    )


def injected():
    headers = {}
    inject(headers)
    return headers


async def publish(client, subject, fields):
    with span_below(fields):
        await client.publish(subject, b"from python", headers=injected())


async def request(client, subject, fields):
    with span_below(fields):
        reply = await client.request(subject, b"from python", timeout=20, headers=injected())
    show({"payload": reply.data.decode(), "headers": reply.headers})


async def subscribe(client, subject, _):
    async def received(message):
        with span_below(message.headers):
            pass

    await client.subscribe(subject, cb=received)
    await until_told(client)


async def respond(client, subject, _):
    async def received(message):
        with span_below(message.headers):
            await client.publish(message.reply, message.data, headers=injected())

    await client.subscribe(subject, cb=received)
    await until_told(client)


async def serve(client, subject, _):
    """A service that answers with an error."""

    async def received(request):
        with span_below(request.headers):
            raise ServiceError(code="418", description="a teapot")

    service = await nats.micro.add_service(client, name="python", version="1.0.0")
    await service.add_endpoint(name="peer", subject=subject, handler=received)
    await until_told(client)


async def until_told(client):
    # The server knows of the subscription when it has answered to what was sent after it. A ping
    # is not that: `flush` lets it overtake what is still to be sent.
    with contextlib.suppress(NoRespondersError):
        await client.request("nobody", timeout=20)
    show("ready")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def main(url, action, subject, fields):
    actions = {a.__name__: a for a in (publish, request, subscribe, respond, serve)}
    client = await nats.connect(url)
    await actions[action](client, subject, json.loads(fields))
    await client.drain()


asyncio.run(main(*sys.argv[1:]))
