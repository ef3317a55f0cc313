"""The options of questions about traffic: which calls count, and how they are grouped."""

from typing import Annotated

import typer

By = Annotated[
    list[str] | None,
    typer.Option(metavar="DIMENSION", help="Group by term_accounts_id, dst_prefix:4, weekday …; repeatable."),
]
Where = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="Calls with tenant_id=1,2, cause=1..31, folder= …; repeatable."),
]
WhereNot = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="Calls without, in the same forms; repeatable."),
]
Attempts = Annotated[
    str | None, typer.Option(help="LAST (of each call) or ALL; needed with term_ dimensions.")
]
Kind = Annotated[str, typer.Option(help="CALL, ASR or TTS.")]
CodeDeck = Annotated[
    int | None, typer.Option(metavar="ID", help="Codes, names and countries from a code deck.")
]
Occupancy = Annotated[
    str | None, typer.Option(help="When calls occupy a line: TALK (the default) or SEIZED, from setup.")
]
