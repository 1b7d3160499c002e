#!/usr/bin/env python3
"""Asks applications of Quart, and records what they answer and which hooks they call.

    python3 -m venv /tmp/quart && /tmp/quart/bin/pip install quart==0.22.0 werkzeug==3.1.9
    /tmp/quart/bin/python tests/app_rules/quart_peer.py > tests/app_rules/quart.json

The tests of Foster have the same applications and ask them the same; they need neither Python nor Quart.
"""

import asyncio
import json
import logging
from importlib.metadata import version
from urllib.parse import urlsplit

from quart import Blueprint, Quart, Response, abort, after_this_request, redirect, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BuildError

said = []


class Tea(Exception):
    pass


class Milk(Exception):
    pass


class Other(Exception):
    pass


ERRORS = {"tea": Tea, "milk": Milk, "other": Other}


def fails(where):
    """Raises what the argument `fail` says for this place."""
    failing, _, how = request.args.get("fail", "").partition(":")
    if failing == where:
        raise ERRORS[how]()


def say_hooks(to, name):
    @to.url_value_preprocessor
    def values(endpoint, args):
        said.append(f"values {name} of {endpoint}")

    @to.before_request
    async def before():
        said.append(f"before {name}")
        fails(f"before-{name}")
        if request.args.get("stop") == name:
            return f"stopped by {name}", 203

    @to.after_request
    async def after(response):
        said.append(f"after {name} {response.status_code}")
        fails(f"after-{name}")
        return response

    @to.teardown_request
    async def teardown(err):
        said.append(f"teardown {name}" + (f" with {type(err).__name__}" if err else ""))


def hooks():
    app = Quart("hooks")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    p, c, other = Blueprint("p", "p"), Blueprint("c", "c"), Blueprint("other", "other")
    say_hooks(app, "app1")
    say_hooks(p, "p")
    say_hooks(c, "c")
    say_hooks(other, "other")

    async def view():
        said.append("view")
        fails("view")
        for n in (1, 2):

            def later(n=n):
                @after_this_request
                async def this(response):
                    said.append(f"this {n}")
                    fails(f"this-{n}")
                    return response

            later()
        return "a view"

    async def stream():
        async def pieces():
            said.append("first piece")
            yield b"one "
            said.append("last piece")
            yield b"two"

        return pieces()

    for to in (app, p, c):
        to.add_url_rule("/view", "view", view)
    app.add_url_rule("/stream", "stream", stream)
    p.register_blueprint(c, url_prefix="/c")
    app.register_blueprint(p, url_prefix="/p")
    app.register_blueprint(other, url_prefix="/other")
    say_hooks(app, "app2")

    @app.errorhandler(Milk)
    async def milk(err):
        said.append("handler of milk")
        return "no milk", 418

    return app


def errors():
    app = Quart("errors")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    b, c = Blueprint("b", "b"), Blueprint("c", "c")

    async def view(what):
        raise ERRORS[what]()

    async def aborts(status):
        abort(status)

    for to in (app, b, c):
        to.add_url_rule("/fail/<what>", "fail", view)
        to.add_url_rule("/abort/<int:status>", "abort", aborts)
        to.add_url_rule("/post", "post", view, methods=["POST"])

    def handler(to, of, name, status=None):
        @to.errorhandler(of)
        async def answer(err):
            of_what = f" {err.code}" if isinstance(err, HTTPException) else ""
            original = getattr(err, "original_exception", None)
            of_what += f" for {type(original).__name__}" if original else ""
            return f"{name}{of_what}", status or getattr(err, "code", 200)

    handler(app, 404, "app 404")
    handler(app, 410, "app 410")
    handler(app, 500, "app 500")
    handler(app, HTTPException, "app exception")
    handler(app, Tea, "app tea", 418)
    handler(b, 404, "b 404")
    handler(b, HTTPException, "b exception")
    handler(b, Milk, "b milk", 418)
    handler(c, 410, "c 410")
    b.register_blueprint(c, url_prefix="/c")
    app.register_blueprint(b, url_prefix="/b")

    d = Blueprint("d", "d")
    d.add_url_rule("/fail/<what>", "fail", view)
    d.add_url_rule("/abort/<int:status>", "abort", aborts)

    @d.errorhandler(Tea)
    async def broken(err):
        raise Milk()

    @d.errorhandler(Milk)
    async def aborting(err):
        abort(410)

    app.register_blueprint(d, url_prefix="/d")
    return app


def plain():
    """Without handlers."""
    app = Quart("plain")
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.route("/")
    async def index():
        return "index"

    @app.route("/branch/")
    async def branch():
        return "branch"

    @app.route("/leaf")
    async def leaf():
        return "leaf"

    @app.get("/get")
    async def get():
        return "get"

    @app.post("/post")
    async def post():
        return "post"

    @app.route("/several", methods=["GET", "PUT", "DELETE"])
    async def several():
        return request.method

    @app.route("/options", methods=["OPTIONS", "GET"], provide_automatic_options=False)
    async def options():
        return "mine"

    @app.get("/verbs")
    async def verbs_get():
        return "got"

    @app.post("/verbs")
    async def verbs_post():
        return "posted"

    @app.route("/int/<int:value>")
    async def an_int(value):
        return f"{value}"

    @app.route("/text/<value>")
    async def a_text(value):
        return f"text {value}"

    @app.route("/text/fixed")
    async def fixed():
        return "fixed"

    @app.route("/path/<path:value>")
    async def a_path(value):
        return f"path {value}"

    @app.route("/any/<any(one,two):value>")
    async def an_any(value):
        return f"any {value}"

    @app.route("/page/", defaults={"number": 1})
    @app.route("/page/<int:number>")
    async def page(number):
        return f"page {number}"

    @app.route("/to/<path:where>")
    async def to(where):
        return redirect("/" + where)

    @app.route("/status/<int:code>")
    async def status(code):
        return "body", code

    @app.route("/fields")
    async def fields():
        return "body", 202, {"X-One": "1"}

    @app.route("/fail")
    async def fail():
        raise Tea()

    @app.websocket("/socket")
    async def socket():
        pass

    return app


def urls():
    app = Quart("urls")
    users, inner = Blueprint("users", "users"), Blueprint("inner", "inner")

    async def nothing(**values):
        return ""

    BUILDS = {
        "index": lambda: url_for("index"),
        "user": lambda: url_for("users.show", id=7),
        "query": lambda: url_for("users.show", id=7, q="a b&c", page=2),
        "list": lambda: url_for("index", tag=["a", "b"]),
        "anchor": lambda: url_for("index", _anchor="x y"),
        "anchor and query": lambda: url_for("index", _anchor="top", q=1),
        "external": lambda: url_for("users.show", id=7, _external=True),
        "scheme": lambda: url_for("index", _external=True, _scheme="https"),
        "missing": lambda: url_for("users.show"),
        "wrong": lambda: url_for("users.show", id="x"),
        "unknown": lambda: url_for("nowhere"),
        "method": lambda: url_for("many", _method="POST"),
        "no method": lambda: url_for("many"),
        "default": lambda: url_for("page", number=1),
        "no default": lambda: url_for("page", number=2),
        "path": lambda: url_for("path", name="a b/c?d"),
        "unicode": lambda: url_for("text", name="ü/x"),
        "relative": lambda: url_for(".here"),
        "relative down": lambda: url_for(".inner.here"),
        "lang": lambda: url_for("users.inner.lang"),
        "lang given": lambda: url_for("users.inner.lang", lang="fr"),
        "socket": lambda: url_for("socket"),
    }

    async def build(what):
        try:
            return BUILDS[what]()
        except BuildError:
            return "no url"

    app.add_url_rule("/", "index", nothing)
    for to in (app, users, inner):
        to.add_url_rule("/build/<what>", "build", build)
        to.add_url_rule("/here", "here", nothing)
    app.add_url_rule("/many", "many", nothing)
    app.add_url_rule("/many/new", "many", nothing, methods=["POST"])
    app.add_url_rule("/page/", "page", nothing, defaults={"number": 1})
    app.add_url_rule("/page/<int:number>", "page", nothing)
    app.add_url_rule("/path/<path:name>", "path", nothing)
    app.add_url_rule("/text/<name>", "text", nothing)
    app.add_websocket("/socket", "socket", nothing)
    users.add_url_rule("/<int:id>", "show", nothing)
    inner.add_url_rule("/<lang>", "lang", nothing)

    @users.url_defaults
    def lang(endpoint, values):
        if endpoint.endswith("lang"):
            values.setdefault("lang", "en")

    users.register_blueprint(inner, url_prefix="/inner")
    app.register_blueprint(users, url_prefix="/users")
    return app


def cookies():
    app = Quart("cookies")

    @app.route("/read")
    async def read():
        return "; ".join(f"{name}={value}" for name, value in request.cookies.items(multi=True))

    @app.route("/set/<how>")
    async def set_one(how):
        response = Response("set", mimetype="text/plain")
        {
            "plain": lambda: response.set_cookie("name", "value"),
            "quoted": lambda: response.set_cookie("name", 'a b,c;"d"'),
            "unicode": lambda: response.set_cookie("name", "ü"),
            "age": lambda: response.set_cookie("name", "value", max_age=60),
            "all": lambda: response.set_cookie(
                "name", "value", path="/p", domain="example.com", secure=True, httponly=True, samesite="Strict"
            ),
            "delete": lambda: response.delete_cookie("name"),
        }[how]()
        return response

    return app


def get(*paths):
    return [("GET", path, {}) for path in paths]


ASKED = {
    "hooks": (
        hooks,
        get(
            "/view",
            "/p/view",
            "/p/c/view",
            "/nowhere",
            "/p/nowhere",
            "/p/c/view?stop=app1",
            "/p/c/view?stop=app2",
            "/p/c/view?stop=p",
            "/p/c/view?stop=c",
            "/p/c/view?fail=before-p:tea",
            "/p/c/view?fail=before-p:milk",
            "/p/c/view?fail=view:tea",
            "/p/c/view?fail=view:milk",
            "/p/c/view?fail=after-p:tea",
            "/p/c/view?fail=after-p:milk",
            "/p/c/view?fail=this-1:tea",
            "/nowhere?fail=before-app1:tea",
            "/nowhere?stop=app1",
            "/stream",
        )
        + [("OPTIONS", "/p/view", {}), ("POST", "/p/view", {}), ("HEAD", "/p/view", {})],
    ),
    "errors": (
        errors,
        get(
            *[
                f"{where}/{what}"
                for where in ("", "/b", "/b/c", "/d")
                for what in ("fail/tea", "fail/milk", "fail/other", "abort/404", "abort/410", "abort/418", "abort/500")
            ],
            "/nowhere",
            "/b/nowhere",
            "/post",
            "/b/post",
        ),
    ),
    "plain": (
        plain,
        get(
            "/",
            "//",
            "/branch/",
            "/branch",
            "/branch?q=1",
            "/leaf",
            "/leaf/",
            "/nowhere",
            "//leaf",
            "/int/7",
            "/int/007",
            "/int/-7",
            "/int/x",
            "/int/7.5",
            "/text/fixed",
            "/text/x",
            "/text/a%20b",
            "/text/%C3%BC",
            "/text/",
            "/text/a/b",
            "/path/a/b",
            "/any/one",
            "/any/three",
            "/page/",
            "/page/1",
            "/page/2",
            "/page",
            "/to/leaf",
            "/status/201",
            "/status/404",
            "/fields",
            "/fail",
            "/socket",
            "/verbs",
        )
        + [
            (method, path, {})
            for path in ("/get", "/post", "/several", "/options", "/verbs", "/branch", "/nowhere", "/fail")
            for method in ("HEAD", "POST", "PUT", "OPTIONS")
        ],
    ),
    "urls": (
        urls,
        get(
            *[
                f"/build/{what}"
                for what in (
                    "index,user,query,list,anchor,anchor and query,external,scheme,missing,wrong,unknown,method,"
                    "no method,default,no default,path,unicode,relative,relative down,lang,lang given,socket"
                ).replace(" ", "%20").split(",")
            ],
            "/users/build/relative",
            "/users/build/relative%20down",
            "/users/inner/build/relative",
            "/users/inner/build/index",
        ),
    ),
    "cookies": (
        cookies,
        get(*[f"/set/{how}" for how in ("plain", "quoted", "unicode", "age", "all", "delete")])
        + [
            ("GET", "/read", {"Cookie": cookie})
            for cookie in (
                "a=1",
                "a=1; b=2",
                "a=1;b=2",
                "a=1; a=2",
                'a="quoted value"',
                'a="es\\"caped"',
                'a="\\303\\274"',
                "a",
                "=1",
                "a=",
                "a==b",
                " a = 1 ",
                "a=1; ; b=2",
            )
        ],
    ),
}


def outcome(response, body):
    text = body.decode("utf-8", "replace")
    text = "a page" if text.lower().startswith("<!doctype") else text
    shown = f"{response.status_code} {text}".rstrip()
    for name in ("Location", "Allow", "X-One"):
        if name in response.headers:
            value = response.headers[name]
            if name == "Allow":
                value = ", ".join(sorted(value.split(", ")))
            elif name == "Location":
                # Absolute to some, a path to others.
                url = urlsplit(value)
                value = url.path + (f"?{url.query}" if url.query else "")
            shown += f" | {name}: {value}"
    for cookie in response.headers.getlist("Set-Cookie"):
        first, *rest = cookie.split("; ")
        shown += " | Set-Cookie: " + "; ".join([first, *sorted(part for part in rest if "Expires" not in part)])
    return shown


async def ask(client, method, path, headers):
    said.clear()
    try:
        response = await client.open(path, method=method, headers={"Host": "example.com", **headers})
        body = await response.get_data(as_text=False)
        # The client of Quart's tests leaves it to servers to send none.
        shown = outcome(response, b"" if method == "HEAD" else body)
    except Exception as err:
        shown = f"raised {type(err).__name__}"
    return {"method": method, "path": path, "headers": headers, "outcome": shown, "said": ", ".join(said)}


async def main():
    logging.disable(logging.CRITICAL)
    print("{")
    print(f'"quart": {json.dumps(version("quart"))},')
    print(f'"werkzeug": {json.dumps(version("werkzeug"))},')
    print('"applications": [')
    for nth, (name, (make, requests)) in enumerate(ASKED.items()):
        app = make()
        client = app.test_client(use_cookies=False)
        rows = [await ask(client, *asked) for asked in requests]
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        print(f'{{"name": {json.dumps(name)}, "requests": [\n{lines}\n]}}' + ("," if nth + 1 < len(ASKED) else ""))
    print("]\n}")


if __name__ == "__main__":
    asyncio.run(main())
