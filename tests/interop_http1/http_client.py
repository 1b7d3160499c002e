# Python's http.client: keep-alive, bodies of each kind, HEAD, Expect by hand.
import http.client
import socket
import sys

port = int(sys.argv[1])
conn = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
conn.connect()
sock = conn.sock


def ask(method, path, body=None, headers={}, **options):
    conn.request(method, path, body, headers, **options)
    response = conn.getresponse()
    data = response.read()
    assert conn.sock is sock or response.will_close, "one connection for all"
    return response, data


response, data = ask("GET", "/hello")
assert (response.status, response.reason, response.version, data) == (200, "OK", 11, b"/hello"), (response, data)
assert response.getheader("Content-Type") == "text/plain; charset=utf-8"
response, data = ask("HEAD", "/hello")
assert data == b"" and response.getheader("Content-Length") == "6"
response, data = ask("GET", "/stream")
assert response.getheader("Transfer-Encoding") == "chunked" and data == b"x" * 100_000, len(data)
response, data = ask("GET", "/none")
assert (response.status, data) == (204, b"")
response, data = ask("POST", "/echo", b"abc" * 100_000)
assert data == b"abc" * 100_000
response, data = ask("POST", "/echo", iter([b"one", b"", b"two"]), encode_chunked=True)
assert data == b"onetwo"
response, data = ask("PUT", "/ignore", b"z" * 100_000)
assert data == b"/ignore"
response, data = ask("GET", "/missing")
assert response.status == 404
response, data = ask("GET", "/fail")
assert response.status == 500
response, data = ask("GET", "/after?x=%20y")
assert data == b"/after", data

conn.putrequest("POST", "/echo")
conn.putheader("Expect", "100-continue")
conn.putheader("Content-Length", "4")
conn.endheaders()
# What comes behind it is the head of the echo.
assert sock.recv(25, socket.MSG_WAITALL) == b"HTTP/1.1 100 Continue\r\n\r\n"
conn.close()

old = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
old._http_vsn, old._http_vsn_str = 10, "HTTP/1.0"
old.request("GET", "/stream")
response = old.getresponse()
assert response.will_close and response.read() == b"x" * 100_000
print("all is well")
