"""Steps for numbers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from connector.carecycle.catalogue import Kind
from connector.mapping.steps import arguments
from connector.mapping.steps.step import NUMBER, NUMBERS, Example, Format, Step, always

WHOLE: Final = frozenset({Kind.INTEGER})
LONGEST_WHOLE: Final = 17
"""Characters of the longest whole number that JSON carries exactly, with its sign."""
_TOO_LARGE: Final = Decimal(10**15)
"""Beyond it a number no longer has the same digits in every program; a result this large is not sent."""
_TENTH_PLACE: Final = Decimal("1e-10")
_LONGEST_NUMBER: Final = 27
"""Characters of a number with fifteen digits before the point and ten behind it, with its sign."""


def seconds(value: int) -> int:
    """Milliseconds as whole seconds, halves rounded up.

    >>> seconds(247000), seconds(1500)
    (247, 2)
    """
    return (value + 500) // 1000


def minutes(value: int) -> int:
    """Milliseconds as whole minutes, halves rounded up.

    >>> minutes(247000), minutes(90000)
    (4, 2)
    """
    return (value + 30_000) // 60_000


def multiply(factor: Decimal) -> Format:
    """The number multiplied.

    >>> multiply(Decimal("12")).apply(3500), multiply(Decimal("0.1")).apply(3)
    (42000, 0.3)
    """
    return _calculating("multiply", lambda value: value * factor)


def divide(divisor: Decimal) -> Format:
    """The number divided, to at most ten decimal places.

    >>> divide(Decimal("60")).apply(247), divide(Decimal("60")).apply(120)
    (4.1166666667, 2)
    """
    return _calculating("divide", lambda value: value / divisor)


def round_to(places: int) -> Format:
    """The number rounded to decimal places, halves away from zero; alone: to a whole number.

    >>> round_to(1).apply(4.1166666667), round_to(0).apply(2.5), round_to(0).apply(-2.5)
    (4.1, 3, -3)
    """
    unit = Decimal(1).scaleb(-places)
    return _calculating("round", lambda value: value.quantize(unit, ROUND_HALF_UP), whole=not places)


def _calculating(name: str, calculate: Callable[[Decimal], Decimal], *, whole: bool = False) -> Format:
    def apply(value: float) -> float | None:
        result = calculate(Decimal(str(value)))
        if abs(result) >= _TOO_LARGE:
            return None
        exact = result.quantize(_TENTH_PLACE, ROUND_HALF_UP)
        return int(exact) if exact == exact.to_integral_value() else float(exact)

    gives, longest = (Kind.INTEGER, LONGEST_WHOLE) if whole else (NUMBER, _LONGEST_NUMBER)
    return Format(name, apply, NUMBERS, gives, always(longest), keeps=False)


def _whole(example: Example, name: str, apply: Any) -> Step:
    return Step(name, example, Format(name, apply, WHOLE, Kind.INTEGER, always(LONGEST_WHOLE)))


STEPS: Final = (
    _whole(Example(247000, 247), "seconds", seconds),
    _whole(Example(247000, 4), "minutes", minutes),
    Step("multiply", Example(3500, 42000, 12), argument=arguments.NUMBER, made=multiply),
    Step("divide", Example(247, 4.1166666667, 60), argument=arguments.NUMBER, made=divide),
    Step("round", Example(4.1166666667, 4.1, 1), round_to(0), arguments.count(1, 10), round_to),
)
