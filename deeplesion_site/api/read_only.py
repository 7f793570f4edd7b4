"""Nothing can be written through the API, whoever asks: that is said before anything else is checked."""

from typing import Any

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.views import APIView


class ReadOnly(APIView):
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Answer another method with 405 and what is allowed, not with a word about tokens or rights."""
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))
        super().initial(request, *args, **kwargs)
