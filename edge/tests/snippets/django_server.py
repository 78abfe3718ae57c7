"""Serves a snippet's view in Django: `django_server.py SNIPPET`; prints its port."""

import os
import sys
from wsgiref.simple_server import make_server

import django
import stripe  # noqa: F401: the snippet's
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse  # noqa: F401: the snippet's
from django.urls import path
from django.views.decorators.csrf import csrf_exempt  # noqa: F401: the snippet's
from django.views.decorators.http import require_POST  # noqa: F401: the snippet's

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    # The one that the snippet's decorator takes the view out of.
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a test",
    STRIPE_WEBHOOK_SECRET=os.environ["STRIPE_WEBHOOK_SECRET"],
)
django.setup()

with open(sys.argv[1], encoding="utf-8") as snippet:
    exec(compile(snippet.read(), sys.argv[1], "exec"))

urlpatterns = [path("webhooks/stripe", stripe_webhook)]  # noqa: F821: the snippet's

with make_server("127.0.0.1", 0, get_wsgi_application()) as server:
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()
