"""The explorer's pages over HTTP: on loopback for this machine alone, elsewhere for who has the token."""

import functools
import hmac
import ipaddress
import json
import logging
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import waitress
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from tfgans import readers
from tfgans.config import ConfigError

logger = logging.getLogger(__name__)

_PAGE = {"page.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
_MOST_BYTES = 16_384  # of what is sent here
_THREADS = 8  # that wait for the model, which makes one picture at a time, or send files
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Server:
    """Holds an address until it is served at.

    Args:
        host: a name or number of an address of this machine.
        port: 0 takes one that is free.
    Attributes:
        token: what others need; None on loopback.
        address: of the page, with the token.
    Raises: ConfigError if that cannot be had.
    """

    def __init__(self, host, port):
        self._application, self._closed = None, False
        self.token = None if is_loopback(host) else secrets.token_urlsafe(16)
        options = {"threads": _THREADS, "max_request_body_size": _MOST_BYTES, "ident": None}
        logging.getLogger("waitress").setLevel(logging.ERROR)  # it warns of each client that waits
        try:
            self._server = waitress.create_server(self._answer, host=host, port=port, **options)
        except (OSError, ValueError) as error:
            reason = readers.reason(error)
            raise ConfigError(f"cannot serve at --host={host} --port={port}: {reason}") from error
        self.port = _port_of(self._server)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def _answer(self, environ, start_response):
        return self._application(environ, start_response)

    def serve(self, studio):
        """Answers, until `close` is called or the process ends."""
        self._application = Application(studio, self.token)
        try:
            self._server.run()
        except OSError:  # it waits on a socket that another thread closes
            if not self._closed:
                raise

    def close(self):
        self._closed = True
        self._server.close()


def _port_of(server):
    """The port of a waitress server, of whichever kind: a name may stand for several addresses."""
    found = getattr(server, "effective_port", None)
    return found if found is not None else server.effective_listen[0][1]


def is_loopback(host):
    """Whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Application:
    """The pages as a WSGI application.

    What is wrong with a request is answered by one line of text: 400 for values that cannot be, 403 for strangers.
    On loopback a request must name this machine as its host: a page of elsewhere, whose name was made to lead here,
    names itself (DNS rebinding). What changes something must come from the page itself.

    Args:
        studio: a `Studio`. token: that clients need, or None.
    """

    def __init__(self, studio, token=None):
        self.studio, self.token = studio, token
        rules = [
            Rule("/", endpoint=self._file, defaults={"name": "page.html"}, methods=["GET"]),
            *(Rule(f"/{name}", endpoint=self._file, defaults={"name": name}, methods=["GET"])
              for name in ("page.css", "page.js")),
            Rule("/about", endpoint=self._about, methods=["GET"]),
            Rule("/picture", endpoint=self._picture, methods=["GET"]),
            Rule("/sheet", endpoint=self._sheet, methods=["GET"]),
            Rule("/saved", endpoint=self._saved, methods=["GET"]),
            Rule("/saved/<name>", endpoint=self._saved_picture, methods=["GET"]),
            Rule("/save", endpoint=self._save, methods=["POST"]),
        ]  # fmt: skip
        self._map = Map(rules, redirect_defaults=False)

    def __call__(self, environ, start_response):
        request = Request(environ)
        try:
            response = self._respond(request)
        except ConfigError as error:
            response = _line(str(error), 400)
        except HTTPException as error:
            response = _line(error.description or error.name, error.code)
        except Exception as error:  # nothing of it is for the client but the reason
            logger.error("%s: %s", request.path, readers.reason(error))
            response = _line(readers.reason(error), 500)
        response.headers.extend({k: v for k, v in _HEADERS.items() if k not in response.headers})
        return response(environ, start_response)

    def _respond(self, request):
        known = self._check_client(request)
        endpoint, arguments = self._map.bind_to_environ(request.environ).match()
        response = endpoint(request, **arguments)
        if known == "address":  # from here on the browser shows that it knows the token
            response.set_cookie(self._cookie(request), self.token, httponly=True, samesite="Strict")
        return response

    def _check_client(self, request):
        """How a client showed that it may ask: `address`, `cookie` or `loopback`."""
        if request.method not in ("GET", "HEAD") and not _from_the_page(request):
            raise Forbidden("only the page itself may save pictures")
        if self.token is None:
            if not is_loopback(_name_of(request.host)):
                raise Forbidden(f"this page is for http://localhost, not for {_name_of(request.host)!r:.80}")
            return "loopback"
        shown = {
            "address": request.args.get("token", ""),
            "cookie": request.cookies.get(self._cookie(request), ""),
        }
        for how, token in shown.items():
            if hmac.compare_digest(token.encode(), self.token.encode()):
                return how
        raise Forbidden("open the address with ?token=... that explore has printed")

    def _cookie(self, request):
        return f"tfgans_{request.environ['SERVER_PORT']}"  # cookies do not tell ports apart

    def _file(self, request, name):
        return Response(_text_of(name), mimetype=_PAGE[name])

    def _about(self, request):
        return _json(self.studio.about())

    def _picture(self, request):
        return Response(self.studio.picture(self._settings(request)), mimetype="image/png")

    def _sheet(self, request):
        settings = self._settings(request)
        return Response(self.studio.sheet(settings, settings.seed), mimetype="image/png")

    def _settings(self, request, given=None):
        given = request.args.to_dict() if given is None else given
        return self.studio.parsed({name: text for name, text in given.items() if name != "token"})

    def _save(self, request):
        try:
            given = request.get_json()
        except RecursionError as error:
            raise BadRequest("what to save is nested too deeply") from error
        if not isinstance(given, dict) or not all(isinstance(text, str) for text in given.values()):
            raise BadRequest('what to save is an object of texts, such as {"seed": "7"}')
        return _json({"name": self.studio.save(self._settings(request, given))})

    def _saved(self, request):
        names = self.studio.saved_names()[::-1][:100]
        return _json([{"name": name, "settings": self.studio.settings_of(name)} for name in names])

    def _saved_picture(self, request, name):
        found = self.studio.saved(name)
        if found is None:
            raise NotFound(f"no picture {name!r:.80} was saved")
        return Response(found, mimetype="image/png")


def _name_of(host):
    """The name in a Host header."""
    return urlsplit(f"//{host}").hostname or ""


def _from_the_page(request):
    """Whether a request that changes something was made by a script of this very page."""
    origin = request.headers.get("Origin")
    own = origin is None or origin.partition("://")[2] == request.host
    return (
        own
        and request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
        and request.is_json
    )


def _line(text, code):
    return Response(readers.one_line(text) + "\n", code, mimetype="text/plain")


def _json(value):
    return Response(json.dumps(value), mimetype="application/json")


@functools.cache
def _text_of(name):
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
