"""The review as Markdown for a comment on GitHub. Whatever a name holds, it stays text."""

import re

from build.review.sections import Section, headline, sections_of, summary_of
from build.review.words import Review

LIMIT = 60_000
"""Characters; GitHub takes 65,536 in one comment."""
_OPEN = 15
"""Lines up to which a section is not folded."""
_FEW = (200, 40, 8, 0)
"""Lines that are left of a section, step by step, when there is not room for all."""
_LONGEST = 1_500
"""Characters of a line, before they are escaped: one statement may have hundreds of resources."""
_SPECIAL = re.compile(r"([\\`*_\[\]{}~|])")


def markdown(review: Review, *, limit: int = LIMIT) -> str:
    """Return at most ``limit`` characters (1,000 or more) of Markdown.

    Where all of it does not fit, what is least important is cut to its first lines and then counted; what is dangerous,
    destroyed, and permissions are cut last.
    """
    if review.is_empty and not review.reasons:
        return f"**{plain(headline(review))}**\n"
    head = "\n".join([f"### {plain(headline(review))}", "", *_summary(review), *_links(review)])
    sections = sections_of(review)
    lines = [tuple(map(_code if section.is_code else _line, section.lines)) for section in sections]
    texts = [_section(section, each, len(each)) for section, each in zip(sections, lines, strict=True)]
    for order in _order(sections):
        for most in _FEW:
            for number in order:
                if len(head) + sum(map(len, texts)) < limit:
                    return f"{head}{''.join(texts)}\n"
                texts[number] = _section(sections[number], lines[number], most)
    return f"{head}{''.join(texts)}"[:limit]


def plain(text: str) -> str:
    """Return ``text`` so that GitHub shows it as it is: no markup, HTML, links, formulas or mentions."""
    text = re.sub(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+", " ", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _SPECIAL.sub(r"\\\1", text)
    text = re.sub(r"(@|#(?=\d))", "\\1\u200b", text)  # no mention of people, issues and pull requests
    text = text.replace("$", "&#36;")
    text = re.sub(r":(?=//)|(?<=www)\.", r"\\\g<0>", text, flags=re.IGNORECASE)
    return re.sub(r"^(\s*)([-+=#]|\d+[.)])", _escaped_start, text)


def _escaped_start(match: re.Match[str]) -> str:
    """Return what would begin a list or a heading, as text."""
    return f"{match[1]}{match[2][:-1]}\\{match[2][-1]}"


def _summary(review: Review) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {plain(name)} | {plain(value)} |" for name, value in summary_of(review))]


def _links(review: Review) -> list[str]:
    links = [
        (review.running.url if review.running else None, "what runs now"),
        (review.commit_url, "what is planned"),
        (review.compare_url, "what lies between"),
    ]
    shown = [f"[{text}](<{url}>)" for url, text in links if url and not re.search(r"[<>\s\\]", url)]
    return ["", " · ".join(shown)] if shown else []


def _order(sections: tuple[Section, ...]) -> list[list[int]]:
    """Return the sections in the order they are shortened: details, then the rest, then what is vital."""
    numbers = range(len(sections) - 1, -1, -1)
    details = [n for n in numbers if sections[n].is_detail]
    vital = [n for n in numbers if sections[n].is_vital]
    return [details, [n for n in numbers if n not in {*details, *vital}], vital]


def _section(section: Section, lines: tuple[str, ...], most: int) -> str:
    """Return ``section`` with the first of its ``lines``, which are Markdown."""
    title, count = plain(section.title), len(lines)
    if not most:
        return f"\n\n**{title}**: {count} lines, left out here; the JSON and the page have them."
    shown, more = "\n".join(lines[:most]), count - most
    if section.is_code:
        fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", shown)), 3)
        shown = f"{fence}sh\n{shown}\n{fence}"
    rest = f"\n\n… and {more} more lines; the JSON and the page have them." if more > 0 else ""
    if section.is_detail or count > _OPEN:
        fold = " open" if section.is_vital else ""
        return f"\n\n<details{fold}><summary><b>{title}</b> ({count})</summary>\n\n{shown}{rest}\n\n</details>"
    return f"\n\n**{title}**\n\n{shown}{rest}"


def _code(line: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+", " ", line)


def _line(line: str) -> str:
    """Return a list item; what is indented belongs to the item before."""
    said = line.strip()
    said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    return f"{'  ' if line.startswith('  ') else ''}- {plain(said)}"
