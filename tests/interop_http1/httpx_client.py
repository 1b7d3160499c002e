# httpx, which reads with h11: keep-alive, streams both ways, and what the strictest parser says of each answer.
import sys

import httpx

url = f"http://127.0.0.1:{sys.argv[1]}"

with httpx.Client(base_url=url, timeout=40) as client:
    for n in range(50):
        response = client.get(f"/users/{n}")
        assert (response.status_code, response.text, response.http_version) == (200, f"/users/{n}", "HTTP/1.1")
    assert client.head("/hello").headers["content-length"] == "6"
    assert client.get("/none").status_code == 204
    assert client.post("/echo", content=b"abc" * 100_000).content == b"abc" * 100_000
    assert client.post("/echo", content=(b"%d," % n for n in range(1000))).text == "".join(f"{n}," for n in range(1000))
    assert client.post("/echo", files={"file": b"of a form"}).text.count("of a form") == 1
    with client.stream("GET", "/stream") as response:
        assert sum(len(piece) for piece in response.iter_raw()) == 100_000
    with client.stream("GET", "/stream") as response:
        pass  # Left in the middle.
    assert client.get("/fail").status_code == 500
    assert client.post("/ignore", content=b"x" * 100_000).text == "/ignore"
    try:
        client.get("/broken").read()
        raise SystemExit("a stream that broke off looked whole")
    except httpx.RemoteProtocolError:
        pass
    assert client.get("/hello", headers={"Connection": "close"}).headers["connection"] == "close"
print("all is well")
