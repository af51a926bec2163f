"""Made tests and made persons who answer them."""

from __future__ import annotations

from tintype.blind_answers import FORMAT, Answer, Answers, Item, Test

KINDS = ("real",) * 4 + ("model",) * 3 + ("grey copy",)


def make_test(kinds=KINDS, **changes) -> Test:
    fields = {
        "tintype": "0.1.0",
        "model": "flowers-lab",
        "model_digest": "0123456789abcdef",
        "direction": "ab",
        "colourises": True,
        "data": "pictures of flowers",
        "strength": 1.0,
        "size": 64,
        "exposure": 1.0,
        "seed": 0,
        "practice": 2,
        "items": tuple(
            Item(id=f"p{i}", kind=kind, name=f"{i}.jpg", sha256=f"{i:016x}") for i, kind in enumerate(kinds, start=1)
        ),
    }
    return Test(**(fields | changes))


def make_person(real, test: Test | None = None, number: int = 1, nickname: str = "") -> Answers:
    """A person who called real what is true in `real`, in the order of the test's pictures."""
    test = test or make_test()
    answers = [
        Answer(id=item.id, said="real" if yes else "generated", ms=1000 + number)
        for item, yes in zip(test.items, real, strict=True)
    ]
    return Answers(
        format=FORMAT,
        digest=test.digest,
        session=f"{number:032x}",
        order_seed=number,
        nickname=nickname,
        started="2026-01-01T00:00:00.000Z",
        answers=tuple(reversed(answers)),
        test=test,
    )
