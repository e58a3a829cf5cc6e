"""django-rest-knox: its TokenAuthentication on a view."""

from __future__ import annotations

from bench.peers import body
from bench.peers.django_project import make_tables, set_up

app = set_up(__name__, "knox")

from django.contrib.auth.models import User  # noqa: E402  # Django's models need the set-up first
from django.urls import path  # noqa: E402
from knox.auth import TokenAuthentication  # noqa: E402
from knox.models import AuthToken  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

BODY = body()


class Whoami(APIView):
    """Answers whoever holds a token."""

    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, _request: Request) -> Response:
        """Answer the JSON."""
        return Response(BODY)


urlpatterns = [path("api/whoami/key", Whoami.as_view())]


def prepare(count: int) -> list[str]:
    """Make the tables, a user and the tokens."""
    make_tables()
    user = User.objects.create_user("alice")
    return [f"Token {AuthToken.objects.create(user)[1]}" for _ in range(count)]
