"""A Django site in one file: its cache and its sessions are in a Redis that may go away and come back.

    gunicorn shop:application
"""

import os

from django.conf import settings
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY=os.environ.get("SECRET_KEY", "for trying it only"),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[
        "seawall.contrib.django.Unavailable",
        "django.contrib.sessions.middleware.SessionMiddleware",
    ],
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ.get("REDIS_URL", "redis://localhost:6379/0"),
            "OPTIONS": {"pool_class": "seawall.ConnectionPool"},
        }
    },
    SESSION_ENGINE="seawall.contrib.django.sessions",
)


def price(request, item):
    """From the cache, or worked out anew."""
    found = cache.get_or_set(f"price:{item}", lambda: len(item) * 100, 60)
    return HttpResponse(f"{found}\n", content_type="text/plain")


def basket(request):
    """How many things the visitor has put into the basket."""
    if request.method == "POST":
        request.session["things"] = request.session.get("things", 0) + 1
    return HttpResponse(f"{request.session.get('things', 0)}\n", content_type="text/plain")


urlpatterns = [path("price/<item>", price), path("basket", basket)]
application = get_wsgi_application()
