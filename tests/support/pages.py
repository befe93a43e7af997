"""Markdown read back as a browser would show it, and text that tries to be more than text."""

from html.parser import HTMLParser

from markdown_it import MarkdownIt

NASTY = [
    "a|b",
    "a\\|b",
    "\\",
    "`",
    "``a`|",
    "<script>alert(1)</script>",
    "a|<b>&amp;</b>",
    "*x* _y_ __z__ ~~w~~ $m$ [t](u) ![i](j)",
    "|*x* _y_ __z__ a_b ~~w~~ [t](u) ![i](j) &lt; \"q\" 'r'",
    "12+345",
    "HH AH0 L OW1",
    "don't",
    "日本語|é",
]


class _Text(HTMLParser):
    """Collects the text of an HTML page, cell by cell, and the names of its elements."""

    def __init__(self, html):
        super().__init__()
        self.cells, self.elements, self.text, self.in_cell = [], [], "", False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")
            self.in_cell = True

    def handle_endtag(self, tag):
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data):
        self.text += data
        if self.in_cell:
            self.cells[-1] += data


def rendered(text):
    return _Text(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))
