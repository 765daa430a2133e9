"""Regular expressions that mean the same in Pydantic (Rust's regex crate) and in PostgreSQL.

Both engines search anywhere in the string, take ^ and $ for its very ends, and compare code points. Beyond a common core
they differ without a word: \\d is Unicode in one and the locale's in the other, the dot stops at a newline in one only.
So the core is what is allowed, and the rest is refused when SQL is generated: literals, escaped ASCII punctuation, the dot,
^ and $, bracket expressions of literals and ranges, groups, |, and the quantifiers * + ? {n} {n,} {n,m} up to 255.
"""

from __future__ import annotations

from codegen.refusal import RefusedError

MOST_REPETITIONS = 255
"""PostgreSQL's limit for {n}."""

_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;=?@[\\]^_`{|}~")
"""What may be escaped: < and > mean word boundaries in Rust."""

_SET_OPERATORS = ("&&", "--", "~~")


def to_postgres(pattern: str, where: str) -> str:
    """The pattern as PostgreSQL has to be given it; refused if the two engines could read it differently."""
    return _Reader(pattern, where).read()


class _Reader:
    def __init__(self, pattern: str, where: str) -> None:
        self.pattern = pattern
        self.where = where
        self.at = 0
        self.depth = 0

    def refuse(self, why: str) -> RefusedError:
        return RefusedError(
            self.where,
            f"pattern {self.pattern!r}: {why}",
            "use literals, [classes], groups, |, ^, $ and the quantifiers * + ? {n,m}: they mean the same in Pydantic and PostgreSQL",
        )

    def read(self) -> str:
        written: list[str] = []
        # Whether a quantifier may follow here, and whether the branch has anything in it yet.
        repeatable = False
        filled = False
        while self.at < len(self.pattern):
            char = self.pattern[self.at]
            if char in "*+?{":
                if not repeatable:
                    raise self.refuse(f"{char!r} at position {self.at} follows nothing that it could repeat")
                written.append(self._quantifier())
                repeatable = False
                continue
            if char == "|":
                if not filled:
                    raise self.refuse("an empty alternative")
                written.append(char)
                self.at += 1
                repeatable = filled = False
                continue
            if char == "(":
                opening = "(?:" if self.pattern.startswith("(?:", self.at) else "("
                self.at += len(opening)
                if self.pattern.startswith("?", self.at):
                    raise self.refuse("a group with options")
                self.depth += 1
                written.append(opening)
                repeatable = filled = False
                continue
            if char == ")":
                if not filled or self.depth == 0:
                    raise self.refuse("an empty group or alternative" if self.depth else "an unopened group")
                self.depth -= 1
                written.append(char)
                self.at += 1
                repeatable = filled = True
                continue
            if char in "^$":
                written.append(char)
                self.at += 1
                repeatable, filled = False, True
                continue
            written.append(self._atom(char))
            repeatable = filled = True
        if self.depth or not filled:
            raise self.refuse("an open group" if self.depth else "it is empty, or an alternative is")
        return "".join(written)

    def _atom(self, char: str) -> str:
        if char == "[":
            return self._brackets()
        if char == "\\":
            return self._escape()
        if char in "]}":
            raise self.refuse(f"a bare {char!r}")
        self.at += 1
        # PostgreSQL's dot takes a newline, too.
        return r"[^\n]" if char == "." else self._plain(char)

    def _plain(self, char: str) -> str:
        if ord(char) < 32:
            raise self.refuse("a control character")
        return char

    def _escape(self) -> str:
        escaped = self.pattern[self.at + 1 : self.at + 2]
        if escaped not in _PUNCTUATION or not escaped:
            raise self.refuse(f"the escape \\{escaped}")
        self.at += 2
        return "\\" + escaped

    def _brackets(self) -> str:
        end = self.at + 1
        written = "["
        if self.pattern[end : end + 1] == "^":
            written += "^"
            end += 1
        members = 0
        while True:
            char = self.pattern[end : end + 1]
            if not char:
                raise self.refuse("an open bracket expression")
            if char == "]":
                break
            if char == "[" or self.pattern.startswith(_SET_OPERATORS, end):
                raise self.refuse(f"{char!r} inside brackets")
            if char == "\\":
                self.at = end
                written += self._escape()
                end = self.at
            else:
                written += self._plain(char)
                end += 1
            members += 1
        if not members:
            raise self.refuse("an empty bracket expression")
        self.at = end + 1
        return written + "]"

    def _quantifier(self) -> str:
        char = self.pattern[self.at]
        if char != "{":
            self.at += 1
            return char
        end = self.pattern.find("}", self.at)
        bounds = self.pattern[self.at + 1 : end].split(",") if end > 0 else []
        low, high = (bounds[0], bounds[-1]) if 1 <= len(bounds) <= 2 else ("", "")
        if not low.isascii() or not low.isdigit() or not (high == "" or (high.isascii() and high.isdigit())):
            raise self.refuse("a { that is no quantifier")
        if int(high or low) > MOST_REPETITIONS or int(low) > int(high or low):
            raise self.refuse(f"more than {MOST_REPETITIONS} repetitions, or fewer at most than at least")
        written = self.pattern[self.at : end + 1]
        self.at = end + 1
        return written
