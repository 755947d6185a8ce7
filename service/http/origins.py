"""Requests that browsers send for pages of other origins: allowed by a setting (CORS), else refused."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, request

from unspun.service.http.config import Settings
from unspun.service.http.problems import RequestError

API = "/v1/"
ALL = "*"
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Encoding, Content-Type, X-API-Key, X-Request-ID",
    "Access-Control-Max-Age": "3600",
}
EXPOSED = "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID"


def is_from_own_page() -> bool:
    """Return whether the current request comes from a page of this service, or from a program.

    Browsers send Sec-Fetch-Site (over https) and Origin; other clients send neither.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site == "same-origin"
    sender = urlsplit(origin or "")
    # A proxy may remove the port from Host.
    return origin is None or request.host in (sender.netloc, sender.hostname)


class Origins:
    """Answers the questions of browsers about the API, and refuses requests for pages of origins that are not allowed.

    Nothing else on this service may be used by other origins, and cookies play no part: there are none.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._allowed = frozenset(settings.cors_origins.split(",")) if settings.cors_origins else frozenset[str]()
        app.before_request(self._check)
        app.after_request(self._mark)

    def _check(self) -> Response | None:
        """Answer a preflight request. Raises RequestError if the origin is not allowed."""
        origin = request.headers.get("Origin")
        if origin is None or not request.path.startswith(API):
            return None
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if self._allows(origin):
            return Response(status=204, headers=PREFLIGHT) if is_preflight else None
        # Without the setting, browsers hide the answer, as they do for any service that knows nothing of origins.
        if is_preflight or (self._allowed and not is_from_own_page()):
            raise RequestError(
                "cross-site",
                f"Pages of {origin[:200]} may not use this API. The operator can allow them with UNSPUN_CORS_ORIGINS.",
            )
        return None

    def _mark(self, response: Response) -> Response:
        """Tell the browser that a page may read the answer."""
        if self._allowed and request.path.startswith(API):
            origin = request.headers.get("Origin")
            if ALL not in self._allowed:
                response.vary.add("Origin")
            if origin is not None and self._allows(origin):
                response.headers["Access-Control-Allow-Origin"] = ALL if ALL in self._allowed else origin
                response.headers["Access-Control-Expose-Headers"] = EXPOSED
        return response

    def _allows(self, origin: str) -> bool:
        return ALL in self._allowed or origin.lower() in self._allowed
