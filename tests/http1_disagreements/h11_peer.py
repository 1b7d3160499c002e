"""h11's verdicts on the inputs of standard input: a server that answers each request with "ok"."""

import json
import sys

import h11


def verdict(data):
    connection = h11.Connection(h11.SERVER)
    requests = []
    try:
        connection.receive_data(data)
        if data:
            connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                request, body = event, b""
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                requests.append([text(request.method), text(request.target), text(body)])
                if request.method == b"CONNECT":
                    return requests, None
                connection.send(h11.Response(status_code=200, headers=[("content-length", "2")]))
                if request.method != b"HEAD":
                    connection.send(h11.Data(data=b"ok"))
                connection.send(h11.EndOfMessage())
                if connection.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                    return requests, None
                connection.start_next_cycle()
            else:
                return requests, None
    except h11.RemoteProtocolError as err:
        is_end = "peer unexpectedly closed" in str(err) or "peer closed connection" in str(err)
        return requests, "closed" if is_end else str(err.error_status_hint)


def text(data):
    return data.decode("latin-1")


verdicts = [verdict(data.encode("latin-1")) for data in json.load(sys.stdin)]
json.dump([{"requests": requests, "refusal": refusal} for requests, refusal in verdicts], sys.stdout)
