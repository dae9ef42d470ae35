"""Log-in: the admin's door, and the limit on failed log-ins, which django-axes counts.

What is locked is a user's name for one address, whether there is such a user or not. So nobody
can lock out another by failing in their name, except from the same address, and nobody can go on
guessing from one. An address from which many names fail is locked whole (login_limit.py).
"""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

# One household or machine has 2^64 addresses of IPv6.
OWN_BITS = 64


def client_address(request: HttpRequest) -> str | None:
    """The client's address, of IPv6 its network; None on a Unix socket.

    Behind ``PROXIES`` proxies it is what the outermost of them saw: each appends one address to
    ``X-Forwarded-For``. What stands before those may be invented by the client, and without
    proxies all of it.
    """
    seen = _network(request.META.get("REMOTE_ADDR", ""))
    forwarded = [text.strip() for text in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if 0 < settings.PROXIES <= len(forwarded):
        return _network(forwarded[-settings.PROXIES]) or seen
    return seen


def _network(text: str) -> str | None:
    """The address without its port, of IPv6 its network; None if it is not an address."""
    host, _, port = text.rpartition(":")
    if port and (host.startswith("[") or host.count(".") == 3):
        text = host
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), OWN_BITS), strict=False).network_address)
    return str(address)


def locked_out(request: HttpRequest, *_: object) -> HttpResponse:
    """The login page with the reason, as 429."""
    wait = settings.AXES_COOLOFF_TIME
    context = {
        "form": AuthenticationForm(request),
        "next": request.POST.get("next", ""),
        "address_locked": getattr(request, "address_locked", False),
        "locked_minutes": int(wait.total_seconds() / 60),
    }
    answer = render(request, "registration/login.html", context, status=429)
    answer["Retry-After"] = str(int(wait.total_seconds()))
    return answer


@never_cache
def admin_login(request: HttpRequest) -> HttpResponse:
    """Send users to the site's login. A logged-in user who is not an administrator gets 403, not a
    redirect loop.
    """
    if not request.user.is_authenticated:
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
    if not request.user.is_staff:
        raise PermissionDenied
    return redirect("admin:index")
