"""djangorestframework-api-key: its HasAPIKey permission on a view."""

from __future__ import annotations

from bench.peers import body
from bench.peers.django_project import make_tables, set_up

app = set_up(__name__, "rest_framework_api_key")

from django.urls import path  # noqa: E402  # Django's models and views need the set-up first
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_api_key.models import APIKey  # noqa: E402
from rest_framework_api_key.permissions import HasAPIKey  # noqa: E402

BODY = body()


class Whoami(APIView):
    """Answers whoever holds a key."""

    permission_classes = (HasAPIKey,)

    def get(self, _request: Request) -> Response:
        """Answer the JSON."""
        return Response(BODY)


urlpatterns = [path("api/whoami/key", Whoami.as_view())]


def prepare(count: int) -> list[str]:
    """Make the tables and the keys."""
    make_tables()
    return [f"Api-Key {APIKey.objects.create_key(name=f'bench {number}')[1]}" for number in range(count)]
