"""Django's own users, sessions and CSRF check inside the cache: who is logged in is told apart, with no settings at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own, as Django's settings can be made once in each.
SITE = """
import asyncio, json, sys
import django, httpx
from django.conf import settings
from django.urls import path

settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="no secret", LOGGING_CONFIG=None, USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[2]}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
)
django.setup()

from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.test import Client
from django.views.decorators.csrf import csrf_exempt
from gateway import SemanticCacheMiddleware, SemanticCacheWSGIMiddleware

calls = 0

@csrf_exempt
def ask(request):
    global calls
    if not request.user.is_authenticated:
        return JsonResponse({"error": "log in"}, status=401)
    calls += 1
    return JsonResponse({"answer": f"{calls} for {request.user.username}"})

def checked(request):
    return JsonResponse({"answer": "the token was right"})

urlpatterns = [path("ask", ask), path("checked", checked)]
call_command("migrate", verbosity=0)
cookies = {}
for name in ("alice", "bob"):
    client = Client()
    client.force_login(User.objects.create_user(name))
    cookies[name] = "sessionid=" + client.cookies["sessionid"].value

def headers(who):
    return {"cookie": cookies[who]} if who in cookies else {}

told = []

def note(who, answer):
    body = answer.json() if "json" in answer.headers["content-type"] else {}
    told.append([who, answer.status_code, answer.headers.get("x-cache"), body.get("answer")])

WHO = ("alice", "alice", "bob", "nobody", "bob")

async def over_asgi():
    transport = httpx.ASGITransport(SemanticCacheMiddleware(get_asgi_application()))
    async with httpx.AsyncClient(transport=transport, base_url="http://site") as http:
        for who in WHO:
            note(who, await http.post("/ask", json={"query": "What is my balance?"}, headers=headers(who)))
        note("no token", await http.post("/checked", json={"query": "What is my balance?"}))

def over_wsgi():
    transport = httpx.WSGITransport(SemanticCacheWSGIMiddleware(get_wsgi_application()))
    with httpx.Client(transport=transport, base_url="http://site") as http:
        for who in WHO:
            note(who, http.post("/ask", json={"query": "What is my balance?"}, headers=headers(who)))
        note("no token", http.post("/checked", json={"query": "What is my balance?"}))

over_wsgi() if sys.argv[1] == "wsgi" else asyncio.run(over_asgi())
print(json.dumps(told))
"""


@pytest.mark.parametrize("door", ["asgi", "wsgi"])
def test_each_logged_in_user_has_answers_of_their_own(door: str, data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "users.py").write_text(SITE)
    done = subprocess.run(
        [sys.executable, "-W", "error", "users.py", door, str(tmp_path / "users.sqlite")],
        cwd=tmp_path,
        env={**os.environ, "SEMGATE_DATA": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        ["alice", 200, "MISS", "1 for alice"],
        ["alice", 200, "HIT", "1 for alice"],
        ["bob", 200, "MISS", "2 for bob"],
        ["nobody", 401, "MISS", None],
        ["bob", 200, "HIT", "2 for bob"],
        ["no token", 403, "MISS", None],
    ]
