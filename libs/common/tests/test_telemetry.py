"""One trace follows a message over the bus: the hearer's span goes on from the publisher's."""

import json
import subprocess
import sys

PROGRAM = """
import json
from opentelemetry import trace
from headworks.common.telemetry import configure_telemetry, outgoing_headers, span

def trace_id():
    return format(trace.get_current_span().get_span_context().trace_id, "032x")

configure_telemetry("test", None)
with span("publish"):
    here, headers = trace_id(), outgoing_headers()
with span("handle", headers, site="abay"):
    there = trace_id()
with span("handle", None):
    other = trace_id()
with span("handle", {"traceparent": "garbage"}):
    garbage = trace_id()
print(json.dumps({"here": here, "there": there, "other": other, "garbage": garbage, "outside": outgoing_headers(),
                  "headers": headers}))
"""


def test_the_trace_travels_in_headers_and_garbage_begins_a_new_one() -> None:
    # In a process of its own: a process has one tracer provider for good.
    output = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True).stdout
    seen = json.loads(output)
    assert seen["here"] == seen["there"]
    assert seen["here"] in seen["headers"]["traceparent"]
    assert seen["outside"] == {}
    assert len({seen["here"], seen["other"], seen["garbage"]}) == 3
