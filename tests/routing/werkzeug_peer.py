#!/usr/bin/env python3
"""Plays tables of rules, requests and URLs to be built through Werkzeug, and records what comes of them.

    python3 -m venv /tmp/werkzeug && /tmp/werkzeug/bin/pip install werkzeug==3.1.9
    /tmp/werkzeug/bin/python tests/routing/werkzeug_peer.py > tests/routing/werkzeug.json

The tests of Foster's router play the same and need neither Python nor Werkzeug.
"""

import json
import random
import uuid
import warnings
from importlib.metadata import version
from urllib.parse import unquote_to_bytes, urlsplit

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import BuildError, Map, RequestRedirect, Rule, WebsocketMismatch

UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"

# In the order of foster::app::routing::Methods.
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def rule(pattern, endpoint=None, **options):
    return {"rule": pattern, "endpoint": endpoint or pattern, **options}


def table(name, rules, requests=(), builds=(), **options):
    return {"name": name, "options": options, "rules": rules, "requests": list(requests), "builds": list(builds)}


def get(*paths):
    return [{"path": path} for path in paths]


def request(path, method="GET", **options):
    return {"path": path, "method": method, **options}


def build(endpoint, values=None, **options):
    return {"endpoint": endpoint, "values": values or {}, **options}


TABLES = [
    table(
        "text and slashes",
        [rule("/"), rule("/about"), rule("/news/"), rule("/news/old"), rule("/a/b/c/"), rule("/café"), rule("/a b")],
        get(
            "/", "", "/about", "/about/", "/about?x=1", "/news", "/news/", "/news?page=2&x=%20", "/news/old",
            "/news/old/", "/news/new", "/a/b/c", "/a/b/c/", "/a/b", "/a", "/caf%C3%A9", "/caf%c3%a9", "/cafe",
            "/a%20b", "/About", "/%61bout", "/news%2F", "/abou%74/",
        ),
        [build("/"), build("/about"), build("/news/"), build("/café"), build("/a b"), build("/about", {"x": 1})],
    ),
    table(
        "slashes that make no difference",
        [rule("/leaf"), rule("/branch/"), rule("/strict/", strict_slashes=True), rule("/v/<x>"), rule("/w/<x>/")],
        get(
            "/leaf", "/leaf/", "/branch", "/branch/", "/strict", "/strict/", "/v/1", "/v/1/", "/w/1", "/w/1/",
            "/v/", "/v", "/leaf//", "/branch//",
        ),
        strict_slashes=False,
    ),
    table(
        "slashes in a row",
        [
            rule("/a/b"), rule("/c/d/"), rule("/<x>/e"), rule("/p/<path:rest>"), rule("/keep/x", merge_slashes=False),
            rule("//two//slashes"), rule("/q/<path:rest>/"),
        ],
        get(
            "//a/b", "/a//b", "/a///b", "///a///b", "/c//d", "/c//d/", "/c/d//", "/x//e", "/p/a//b", "/p//a", "/p/a//",
            "/keep//x", "//keep/x", "/two/slashes", "/two//slashes", "/a//b?x=//y", "/q/a//b/", "/q/a//b", "/q/a//",
            "/q//a/", "//",
        ),
    ),
    table(
        "slashes in a row that stay",
        [rule("/a/b"), rule("/a//c"), rule("/<x>//d")],
        get("/a//b", "/a/b", "/a//c", "/a/c", "/x//d", "/x/d", "//a/b"),
        merge_slashes=False,
    ),
    table(
        "strings",
        [
            rule("/any/<x>"), rule("/two/<string(length=2):x>"), rule("/min/<string(minlength=3):x>"),
            rule("/max/<string(maxlength=2):x>"), rule("/both/<string(minlength=2,maxlength=3):x>"),
            rule("/default/<default:x>"), rule("/positional/<string(2, 3):x>"),
        ],
        get(
            "/any/x", "/any/", "/any/a%20b", "/any/%C3%A9", "/any/a+b", "/any/a%2Bb", "/any/%25", "/any/%2525",
            "/any/x/y", "/any/%0a", "/two/ab", "/two/a", "/two/abc", "/two/%C3%A9%C3%A9", "/min/ab", "/min/abc",
            "/max/a", "/max/ab", "/max/abc", "/both/a", "/both/ab", "/both/abc", "/both/abcd", "/default/x",
            "/positional/a", "/positional/ab", "/positional/abcd", "/any/;x=1", "/any/a%3Fb", "/any/a%23b",
        ),
        [
            build("/any/<x>", {"x": text})
            for text in ["x", "a b", "é", "a+b", "a%b", "a?b#c", "!$&'()*,:;=@", "~-._", "\"<>\\^`{|}", 5]
        ],
    ),
    table(
        "integers",
        [
            rule("/i/<int:x>"), rule("/s/<int(signed=True):x>"), rule("/f/<int(fixed_digits=3):x>"),
            rule("/r/<int(min=3,max=5):x>"), rule("/p/<int(2):x>"),
        ],
        get(
            "/i/0", "/i/7", "/i/007", "/i/-7", "/i/+7", "/i/7.0", "/i/a", "/i/", "/i/7/", "/i/%37", "/s/-7", "/s/7",
            "/s/--7", "/s/-", "/s/-0", "/f/005", "/f/5", "/f/0005", "/r/2", "/r/3", "/r/5", "/r/6", "/p/12", "/p/1",
            "/i/9223372036854775807",
        ),
        [
            build("/i/<int:x>", {"x": 5}), build("/i/<int:x>", {"x": "5"}), build("/i/<int:x>", {"x": "a"}),
            build("/f/<int(fixed_digits=3):x>", {"x": 5}), build("/s/<int(signed=True):x>", {"x": -5}),
            build("/r/<int(min=3,max=5):x>", {"x": 4}),
        ],
    ),
    table(
        "floats",
        [rule("/f/<float:x>"), rule("/s/<float(signed=True):x>"), rule("/r/<float(min=0.5, max=1.5):x>")],
        get(
            "/f/1.5", "/f/1", "/f/.5", "/f/1.", "/f/-1.5", "/f/1.5.5", "/f/1e5", "/f/01.50", "/f/nan", "/s/-1.5",
            "/s/1.5", "/r/0.5", "/r/0.4", "/r/1.5", "/r/1.6", "/f/1,5",
        ),
        [build("/f/<float:x>", {"x": 1.5}), build("/f/<float:x>", {"x": 2.0}), build("/f/<float:x>", {"x": 2})],
    ),
    table(
        "UUIDs and words",
        [rule("/u/<uuid:x>"), rule('/w/<any(about, help, "with, comma", "sp ace"):x>'), rule("/o/<any(one):x>/end")],
        get(
            f"/u/{UUID}", f"/u/{UUID.upper()}", f"/u/{UUID[:-1]}", "/u/" + UUID.replace("-", ""), f"/u/{UUID}0",
            "/w/about", "/w/help", "/w/other", "/w/abouthelp", "/w/with,%20comma", "/w/sp%20ace", "/w/", "/o/one/end",
            "/o/two/end",
        ),
        [
            build("/u/<uuid:x>", {"x": {"uuid": UUID}}),
            build('/w/<any(about, help, "with, comma", "sp ace"):x>', {"x": "help"}),
            build('/w/<any(about, help, "with, comma", "sp ace"):x>', {"x": "other"}),
        ],
    ),
    table(
        "paths",
        [
            rule("/wiki/<path:page>"), rule("/wiki/<path:page>/edit"), rule("/wiki/start"), rule("/dir/<path:p>/"),
            rule("/two/<path:a>/to/<path:b>"), rule("/ver/<path:p>/<int:n>"), rule("/file/<path:p>.<ext>"),
        ],
        get(
            "/wiki/a", "/wiki/a/b", "/wiki/a/b/", "/wiki/", "/wiki", "/wiki/start", "/wiki/start/", "/wiki/a/edit",
            "/wiki/a/b/edit", "/wiki/edit", "/wiki/edit/edit", "/dir/a", "/dir/a/", "/dir/a/b", "/dir/a/b/", "/dir/",
            "/two/a/to/b", "/two/a/b/to/c/d", "/two/a/to/b/to/c", "/two/to/b", "/ver/a/1", "/ver/a/b/2", "/ver/a/b",
            "/ver/1", "/file/a.txt", "/file/a/b.tar.gz", "/file/a", "/wiki/a%20b/c", "/file/a.b/c",
        ),
        [
            build("/wiki/<path:page>", {"page": "a/b c"}), build("/wiki/<path:page>/edit", {"page": "a/b"}),
            build("/two/<path:a>/to/<path:b>", {"a": "x/y", "b": "z"}), build("/dir/<path:p>/", {"p": "a"}),
        ],
    ),
    table(
        "several variables in a segment",
        [
            rule("/d/<int:y>-<int:m>-<int:d>"), rule("/n/<a>.<b>"), rule("/g/<a><b>"), rule("/v/v<int:x>"),
            rule("/s/<x>.json"), rule("/s/<x>"), rule("/x/<int:a>x<int:b>"), rule("/w/<any(a,b):x><int:n>"),
            rule("/m/<string(maxlength=2):a><string(minlength=2):b>"), rule("/t/<a>-<b>-<c>-end"),
        ],
        get(
            "/d/2026-11-26", "/d/2026-11", "/d/2026-11-26-1", "/n/a.b", "/n/a.b.c", "/n/.b", "/n/a.", "/n/ab", "/g/ab",
            "/g/abc", "/g/a", "/v/v12", "/v/12", "/v/vx", "/s/a.json", "/s/a.xml", "/s/.json", "/s/a.json.json",
            "/x/1x2", "/x/1x", "/w/a5", "/w/c5", "/w/a", "/m/abc", "/m/ab", "/m/abcd", "/t/1-2-3-end", "/t/1-2-end",
            "/t/a-b-c-d-end", "/t/a-b-c-d-en",
        ),
        [build("/d/<int:y>-<int:m>-<int:d>", {"y": 2026, "m": 1, "d": 2}), build("/s/<x>.json", {"x": "a b"})],
    ),
    table(
        "weights",
        [
            rule("/<path:x>", "path"), rule("/<x>", "string"), rule("/<int:x>", "int"), rule("/<float:x>", "float"),
            rule("/fixed", "fixed"), rule("/<x>.txt", "suffix"), rule("/pre-<x>", "prefix"),
            rule("/pre-<x>.txt", "both"), rule("/prefix-<x>", "longer"), rule("/<a>-<b>", "two"),
            rule("/<uuid:x>", "uuid"), rule("/<any(word):x>", "any"), rule("/<x>/<int:y>", "string int"),
            rule("/<int:x>/<y>", "int string"), rule("/<x>/fixed", "string fixed"),
        ],
        get(
            "/fixed", "/1", "/1.5", "/x", "/x.txt", "/pre-x", "/pre-x.txt", "/prefix-x", "/a-b", f"/{UUID}", "/word",
            "/a/1", "/1/a", "/1/1", "/1/fixed", "/a/fixed", "/a/b", "/a/b/c", "/1/", "/a/", "/1-2.txt", "/-", "/a-",
        ),
    ),
    table(
        "backtracking",
        [
            rule("/a/<x>/c"), rule("/<x>/b/d"), rule("/<path:x>/e"), rule("/a/b/<int:y>"), rule("/<int:a>/<int:b>/x"),
            rule("/<int:a>/<b>/y"), rule("/<a>/<int:b>/z"), rule("/<a>/<b>/w/"),
        ],
        get(
            "/a/b/c", "/a/b/d", "/a/b/e", "/a/b/1", "/a/b/x", "/1/2/x", "/1/2/y", "/1/2/z", "/1/a/x", "/1/a/y",
            "/a/2/z", "/1/2/w", "/1/2/w/", "/1/2/e", "/e/e", "/1/2/v",
        ),
    ),
    table(
        "methods",
        [
            rule("/a", "get a", methods=["GET"]), rule("/a", "post a", methods=["POST"]),
            rule("/b", "put b", methods=["PUT", "DELETE"]), rule("/c", "all c"), rule("/d/", "post d", methods=["POST"]),
            rule("/<x>", "get x", methods=["GET"]), rule("/e", "post e", methods=["POST"]),
            rule("/<int:x>", "patch x", methods=["PATCH"]), rule("/f/", "get f", methods=["GET"]),
        ],
        [
            request(path, method)
            for path in ["/a", "/b", "/c", "/d", "/d/", "/x", "/e", "/1", "/f", "/f/", "/none/x"]
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS"]
        ],
        [
            build("get a"), build("put b"), build("put b", method="PUT"), build("put b", method="GET"),
            build("get a", method="POST"),
        ],
    ),
    table(
        "WebSockets",
        [
            rule("/ws", "ws", websocket=True), rule("/both", "both ws", websocket=True), rule("/both", "both http"),
            rule("/http", "http"), rule("/get", "get ws", websocket=True, methods=["GET"]),
            rule("/slash/", "slash ws", websocket=True), rule("/post", "post", methods=["POST"]),
        ],
        [
            request(path, method, websocket=websocket)
            for path in ["/ws", "/both", "/http", "/get", "/slash", "/slash/", "/post", "/none"]
            for method in ["GET", "POST"]
            for websocket in [False, True]
        ],
        [build("ws"), build("ws", scheme="https"), build("http", external=True), build("slash ws", {"x": 1})],
    ),
    table(
        "defaults",
        [
            rule("/all/", "all", defaults={"page": 1}), rule("/all/page/<int:page>", "all"),
            rule("/one", "one", defaults={"x": "a", "y": 2}),
            rule("/lang/", "lang", defaults={"lang": "en"}), rule("/lang/<lang>", "lang"),
            rule("/three/", "three", defaults={"a": 1, "b": 1}), rule("/three/<int:a>", "three", defaults={"b": 1}),
            rule("/three/<int:a>/<int:b>", "three"),
        ],
        get(
            "/all/", "/all", "/all/page/1", "/all/page/2", "/all/page/1?x=1", "/one", "/lang/en", "/lang/de", "/lang/",
            "/three/1/1", "/three/2/1", "/three/2/2", "/three/1", "/three/2",
        ),
        [
            build("all"), build("all", {"page": 1}), build("all", {"page": 2}), build("one"), build("one", {"x": "b"}),
            build("one", {"x": "a", "z": 3}), build("lang", {"lang": "en"}), build("lang", {"lang": "fr"}),
            build("three"), build("three", {"a": 1}), build("three", {"a": 2}), build("three", {"a": 2, "b": 3}),
            build("three", {"a": 1, "b": 1, "c": 4}),
        ],
    ),
    table(
        "defaults without redirects",
        [rule("/all/", "all", defaults={"page": 1}), rule("/all/page/<int:page>", "all")],
        get("/all/", "/all/page/1", "/all/page/2"),
        [build("all", {"page": 1}), build("all", {"page": 2})],
        redirect_defaults=False,
    ),
    table(
        "aliases and redirects",
        [
            rule("/users/", "users"), rule("/people/", "users", alias=True), rule("/users/<int:id>", "user"),
            rule("/u/<int:id>", "user", alias=True), rule("/old/<slug>", "old", redirect_to="/new/<slug>"),
            rule("/older/<int:id>/<slug>", "older", redirect_to="new/<slug>-<id>"),
            rule("/away/<x>", "away", redirect_to="https://other.example/<x>"),
        ],
        get(
            "/users/", "/people/", "/people", "/people/?a=b", "/users/1", "/u/1", "/u/1?a=b", "/u/x", "/old/a%20b",
            "/older/5/x", "/away/here", "/old/a?x=1",
        ),
        [build("users"), build("user", {"id": 1}), build("old", {"slug": "x"})],
    ),
    table(
        "build only",
        [rule("/static/<path:file>", "static", build_only=True), rule("/<path:p>", "rest"), rule("/x", "x", build_only=True)],
        get("/static/a/b", "/x"),
        [build("static", {"file": "a/b"}), build("x"), build("rest", {"p": "a"})],
    ),
    table(
        "hosts",
        [
            rule("/", "www", host="www.example.com"), rule("/", "user", host="<user>.example.com"),
            rule("/", "port", host="example.com:8080"), rule("/<x>", "any", host="<host>"),
            rule("/a/", "a", host="www.example.com"), rule("/", "number", host="n<int:n>.example.com"),
            rule("/b", "b", host="www.example.com"), rule("/b", "b", host="api.example.com"),
        ],
        [
            request(path, host=host)
            for host in [
                "www.example.com", "WWW.Example.COM", "bob.example.com", "example.com:8080", "example.com",
                "n5.example.com", "other.org", "www.example.com:80", "www.example.com:81",
            ]
            for path in ["/", "/x", "/a"]
        ],
        [
            build("www", host="www.example.com"), build("www", host="bob.example.com"),
            build("user", {"user": "bob"}, host="www.example.com"), build("user", {"user": "bob"}, host="bob.example.com"),
            build("b", host="www.example.com"), build("b", host="api.example.com"), build("b", host="x.example.com"),
            build("number", {"n": 7}, host="www.example.com", scheme="https"),
            build("a", host="www.example.com", external=True),
        ],
        host_matching=True,
    ),
    table(
        "subdomains",
        [
            rule("/", "root"), rule("/", "user", subdomain="<user>"), rule("/", "api", subdomain="api"),
            rule("/<int:v>", "version", subdomain="api"), rule("/a/", "a", subdomain="api"),
            rule("/deep", "deep", subdomain="a.b"), rule("/p", "p", defaults={"n": 1}, subdomain="api"),
            rule("/p/<int:n>", "p"),
        ],
        [
            request(path, host=host)
            for host in [
                "example.com", "api.example.com", "bob.example.com", "API.example.com", "a.b.example.com",
                "badexample.com", "example.com:80",
            ]
            for path in ["/", "/5", "/a", "/deep", "/p/1"]
        ],
        [
            build("root", host="example.com"), build("root", host="api.example.com"),
            build("user", {"user": "bob"}, host="example.com"), build("user", {"user": "bob"}, host="bob.example.com"),
            build("api", host="api.example.com"), build("version", {"v": 2}, host="example.com"),
            build("deep", host="example.com", external=True), build("root", host="example.com", external=True),
        ],
        server_name="example.com",
    ),
    table(
        "a default subdomain",
        [rule("/", "www"), rule("/", "api", subdomain="api")],
        [request("/", host=host) for host in ["example.com", "www.example.com", "api.example.com"]],
        [build("www", host="api.example.com"), build("www", host="www.example.com")],
        server_name="example.com",
        default_subdomain="www",
    ),
    table(
        "queries and values",
        [rule("/<x>", "x"), rule("/fixed", "fixed"), rule("/<int:x>/<y>", "two"), rule("/<int:x>", "one or two"),
         rule("/<int:x>/<int:y>", "one or two")],
        [],
        [
            build("fixed", {"a": 1, "b": "x y", "c": "&=?#+/%", "é": "é"}), build("x", {"x": "1", "q": "!$'()*,:;@~-._"}),
            build("x"), build("none"), build("two", {"x": 1}), build("two", {"x": 1, "y": "b", "z": 2.5}),
            build("one or two", {"x": 1}), build("one or two", {"x": 1, "y": 2}), build("one or two", {"y": 2}),
            build("fixed", {"a": ""}), build("fixed", external=True), build("fixed", external=True, scheme="https"),
        ],
    ),
    table(
        "sorted queries",
        [rule("/x", "x")],
        [],
        [build("x", {"b": 1, "a": 2, "c": "x"})],
        sort_parameters=True,
    ),
    # What Foster means to do in another way. tests/routing/werkzeug.rs says why.
    table(
        "differences",
        [
            rule("/seg/<x>"), rule("/deep/<x>/<y>"), rule("/path/<path:p>"), rule("/lim/<int(max=9):x>", "small"),
            rule("/lim/<x>", "rest"), rule("/all", "all"), rule("/all", "get", methods=["GET"]), rule("/big/<int:x>"),
            rule("/u/<uuid:x>"), rule("/adj/<any(a,ab):x><y>"), rule("/fix/<int(fixed_digits=2):x><int:y>"),
        ],
        get(
            "/seg/a%2Fb", "/deep/a%2Fb", "/path/a%2Fb/c", "/path/%2Fetc", "/seg/%ff", "/seg/100%", "/seg/%zz",
            "/path/a%0Ab", "/lim/5", "/lim/10", "/all", "/big/9223372036854775808", "/big/%D9%A1", "/adj/abc",
            "/fix/1234",
        ),
        [
            build("/seg/<x>", {"x": "a/b"}), build("/seg/<x>", {"x": ""}), build("/seg/<x>", {"x": ".."}),
            build("small", {"x": 10}), build("/path/<path:p>", {"p": ""}), build("/path/<path:p>", {"p": "/a"}),
            build("/path/<path:p>", {"p": "a/../b"}), build("/big/<int:x>", {"x": -1}), build("/u/<uuid:x>", {"x": "a"}),
            build("/big/<int:x>", {"x": 2.7}),
        ],
    ),
]


def random_tables():
    """Small maps over a small alphabet, so that rules get into each other's way."""
    dice = random.Random(1)
    texts = ["a", "b", "ab"]
    variables = ["<{}>", "<int:{}>", "<path:{}>", "<any(a,b):{}>", "<float:{}>", "<string(length=2):{}>"]
    segments = ["a", "b", "ab", "1", "12", "1.5", "a1", "1a", "a-b", "1-2", "ba", "", "aa"]
    for n in range(40):
        rules, seen = [], set()
        while len(rules) < dice.randint(3, 10):
            names = iter("uvwxyz")
            parts = []
            for _ in range(dice.randint(1, 3)):
                kind = dice.random()
                if kind < 0.35:
                    parts.append(dice.choice(texts))
                elif kind < 0.85:
                    parts.append(dice.choice(variables).format(next(names)))
                elif kind < 0.93:
                    parts.append(dice.choice(texts) + dice.choice(variables[:2]).format(next(names)))
                else:
                    first, second = dice.choice(variables[:2]), dice.choice(variables[:2])
                    parts.append(first.format(next(names)) + "-" + second.format(next(names)))
            pattern = "/" + "/".join(parts) + dice.choice(["", "/"])
            if pattern in seen:
                continue
            seen.add(pattern)
            methods = dice.choice([None, None, ["GET"], ["POST"]])
            extra = {"methods": methods} if methods else {}
            if dice.random() < 0.15:
                extra["strict_slashes"] = False
            rules.append(rule(pattern, **extra))
        paths = set()
        while len(paths) < 50:
            paths.add("/" + "/".join(dice.choice(segments) for _ in range(dice.randint(1, 4))))
        requests = [request(path, dice.choice(["GET", "GET", "POST"])) for path in sorted(paths)]
        yield table(f"random {n}", rules, requests)


def played(table):
    options = dict(table["options"])
    server_name = options.pop("server_name", None)
    map = Map([made(rule) for rule in table["rules"]], **options)
    for request in table["requests"]:
        request["outcome"] = matched(map, server_name, request)
    for wanted in table["builds"]:
        wanted["outcome"] = built(map, server_name, wanted)
    return table


def made(rule):
    return Rule(rule["rule"], **{name: value for name, value in rule.items() if name != "rule"})


def bound(map, server_name, host, scheme="http", path="/", query="", method="GET", websocket=False):
    environ = {
        "wsgi.url_scheme": scheme,
        "HTTP_HOST": host,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_METHOD": method,
    }
    if websocket:
        environ |= {"HTTP_CONNECTION": "Upgrade", "HTTP_UPGRADE": "websocket"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return map.bind_to_environ(environ, server_name)


def matched(map, server_name, request):
    host = request.get("host", "localhost")
    path, _, query = request["path"].partition("?")
    method, websocket = request.get("method", "GET"), request.get("websocket", False)
    adapter = bound(map, server_name, host, path=path, query=query, method=method, websocket=websocket)
    try:
        endpoint, values = adapter.match()
    except RequestRedirect as err:
        return "308 " + relative(err.new_url, host)
    except MethodNotAllowed as err:
        return "405 " + ", ".join(sorted(err.valid_methods, key=METHODS.index))
    except WebsocketMismatch:
        return "400"
    except NotFound:
        return "404"
    return " ".join([endpoint, *(f"{name}={shown(value)}" for name, value in values.items())])


def relative(url, host):
    parts = urlsplit(url)
    if parts.netloc == host.lower().removesuffix(":80") and parts.scheme in ("http", "ws"):
        return url.split(parts.netloc, 1)[1]
    return url


def shown(value):
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case uuid.UUID():
            return f"uuid:{value}"
        case _:
            return repr(value)


def built(map, server_name, wanted):
    values = {
        name: uuid.UUID(value["uuid"]) if isinstance(value, dict) else value
        for name, value in wanted["values"].items()
    }
    adapter = bound(map, server_name, wanted.get("host", "localhost"), wanted.get("scheme", "http"))
    try:
        return adapter.build(
            wanted["endpoint"], values, method=wanted.get("method"), force_external=wanted.get("external", False)
        )
    except (BuildError, HTTPException, ValueError):
        return "error"


def main():
    tables = [played(table) for table in [*TABLES, *random_tables()]]
    print("{")
    print(f'"werkzeug": "{version("werkzeug")}",')
    print('"tables": [')
    for n, table in enumerate(tables):
        head = {name: table[name] for name in ("name", "options", "rules")}
        print(json.dumps(head, ensure_ascii=False)[:-1] + ",")
        for name, end in (("requests", "],"), ("builds", "]}")):
            lines = [json.dumps(line, ensure_ascii=False) for line in table[name]]
            print(f'"{name}": [' + ("\n" if lines else "") + ",\n".join(lines) + end)
        print("," if n + 1 < len(tables) else "", end="")
    print("]}")


if __name__ == "__main__":
    main()
