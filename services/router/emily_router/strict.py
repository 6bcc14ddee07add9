"""Requests whose body is read as exactly the type the handler asks for."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request

from emily_router.problems import Problem, ProblemError, malformed


class StrictRequest(Request[Any, Any, Any]):
    """Decodes without coercion: the framework's own way takes the string "1" for a number."""

    async def json(self) -> Any:
        """The body as the handler's data type.

        Raises:
            ProblemError: 400 when it is not JSON, 422 when it does not fit; names the field.
        """
        field = self.route_handler.parsed_data_field
        try:
            return msgspec.json.decode(await self.body(), type=field.annotation if field else Any)
        except msgspec.DecodeError as error:
            raise malformed(error) from error
        except (UnicodeDecodeError, RecursionError) as error:
            raise ProblemError(
                Problem(title="Malformed JSON", status=400, detail=str(error), field="")
            ) from error
